"""The archivist: every copy arrives once, whatever fails, and one archive's trouble is its own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock

import pytest
from archives import Shelf
from daemon_rig import within
from rig import LANGUAGES, Clock, Hands, judge, message, new_store, opened
from sqlalchemy import insert, select

import bridge.archivist as archivist_module
from bridge import pipeline, telemetry
from bridge.archivist import Archivist, Destination, Pace
from bridge.cli import compose
from bridge.config import Exports, Settings
from bridge.errors import ConfigError, Refused, StoreError, Unreachable
from bridge.message import SYMPHONY, WEIXIN, Archived, Blob, File, Kind, Verdict
from bridge.ports import DECLINED, Acknowledged, Blobs, Parcel
from bridge.sinks.drop import DropSink
from bridge.store import copies
from bridge.store import schema as s

VAULT, DROP = Destination("records/vault", "s3://vault", "native", "governance"), "records/drop"
PACE = Pace(at_once=2, look=0.005, follow=0.01, settle=0.0)


@pytest.fixture
async def hands(tmp_path: Path) -> AsyncIterator[Hands]:
    """A store of its own."""
    clock = Clock()
    new_store(tmp_path)
    store = opened(tmp_path, clock)
    await store.own("the test")
    yield Hands(store, clock)
    store.close()


def archivist(hands: Hands, sinks: dict[str, Any], *named: Destination) -> Archivist:
    """Who brings copies to these archives."""

    def make(one: Destination) -> Any:
        if one.name not in sinks:
            raise ConfigError("no such address")
        return sinks[one.name]

    return Archivist(hands.store, lambda: named or (VAULT,), make, PACE)


async def say(
    hands: Hands, *texts: str, archives: tuple[str, ...] = (VAULT.name,), after: bool = False
) -> None:
    """Alice writes, and these archives must have it."""
    (first,) = (await hands.rows("SELECT count(*) FROM messages"))[0]
    await hands.archive(*(message(SYMPHONY, f"a{first}-{n}", text) for n, text in enumerate(texts)))
    await ruled(hands, *archives, after=after)


async def ruled(hands: Hands, *archives: str, after: bool = False) -> None:
    """Judge what waits; these archives must have it."""

    def verdict(one: Archived, now: object) -> Verdict:
        return replace(judge(one, now), archives=archives, after_archives=after)  # type: ignore[arg-type]

    rulings = pipeline.decide(await hands.store.unjudged(100), verdict, hands.clock.now(), LANGUAGES)
    await hands.store.record_rulings(rulings)


async def test_the_loop_brings_everything(hands: Hands, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is wanted arrives, several at once but no more than may be, and the record says so. Whoever stops
    lets go of the archive's connections."""
    shelf, closed = Shelf(), asyncio.Event()
    monkeypatch.setattr(shelf, "close", AsyncMock(side_effect=closed.set))
    work = asyncio.create_task(archivist(hands, {VAULT.name: shelf}).run())
    await say(hands, *(f"text {n}" for n in range(9)))

    async def done() -> bool:
        rows = await hands.rows("SELECT count(*) FROM copies WHERE state = 'wanted'")
        return len(shelf.there) == 9 and rows == [(0,)]

    await within(20, done)
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    assert 1 <= shelf.most <= 2
    assert len(await hands.entries("copy:kept")) == 9
    assert closed.is_set()


async def test_what_an_archive_answered_is_kept(hands: Hands, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its receipt, by which its owner finds the record again, stands beside the entry with the digest of what
    was brought: word for word, sealed, and under the digest of the entry."""
    shelf, said = Shelf(), "250 2.0.0 Ok: queued as 4BpQz71nq3z"
    take = shelf.put

    async def put(parcel: Parcel, blobs: Blobs) -> Acknowledged:
        return (await take(parcel, blobs))._replace(answer=said)

    monkeypatch.setattr(shelf, "put", put)
    await say(hands, "one")
    work = archivist(hands, {VAULT.name: shelf})
    await work.renew()
    assert await work.bring(VAULT.name) == 1
    ((sha256, entry),) = await hands.rows("SELECT sha256, entry FROM copies WHERE state = 'kept'")
    (kept,) = await hands.entries("copy:kept")
    assert (kept.seq, kept.facts["sha256"]) == (entry, sha256) and kept.digest
    query = select(s.content.c.body).where(s.content.c.seq == entry)
    receipt = json.loads(await hands.store.read(lambda db: db.scalar(query)))
    assert (receipt["answer"], receipt["objects"]) == (said, list(shelf.there))
    ((sealed,),) = await hands.rows(f"SELECT body FROM content WHERE seq = {entry}")
    assert b"4BpQz71nq3z" not in bytes(sealed)


async def test_a_crash_between_put_and_record(hands: Hands) -> None:
    """Whoever dies after the archive took a record brings it again, by the same name and bytes."""
    shelf = Shelf()
    await say(hands, "once")
    first = archivist(hands, {VAULT.name: shelf})
    await first.renew()
    due = await hands.store.read(lambda db: copies.due(db, VAULT.name, hands.clock.now(), 9))
    await first._put(first.places[VAULT.name], due[0])  # and here the process ends
    await hands.store.write(lambda tx: tx.append(0, "record:kept", "message/1", {"extended": 1}))
    second = archivist(hands, {VAULT.name: shelf})
    await second.renew()
    assert await second.bring(VAULT.name) == 1
    assert len(shelf.there) == 1
    assert await second.bring(VAULT.name) == 0


async def test_one_dead_archive_holds_nobody_up(hands: Hands, tmp_path: Path) -> None:
    """The other gets its copies; the dead one is tried again later and later, and says what is wrong."""
    drop = tmp_path / "drop"
    drop.mkdir()
    dead = Shelf(errors=[Unreachable("the vault is away", certain=False) for _ in range(9)])
    sinks = {VAULT.name: dead, DROP: DropSink(DROP, drop)}
    work = archivist(hands, sinks, VAULT, Destination(DROP, f"file://{drop}", "jsonl"))
    await work.renew()
    await say(hands, "one", "two", archives=(VAULT.name, DROP))
    assert await work.bring(DROP) == 2
    assert await work.bring(VAULT.name) == 0
    place = work.places[VAULT.name]
    assert (place.failures, place.next_try - hands.clock.now()) == (1, 1000)
    assert "away" in work.trouble()
    hands.clock.at += 1000
    await work.bring(VAULT.name)
    assert (place.failures, place.next_try - hands.clock.now()) == (2, 2000)
    dead.errors.clear()
    hands.clock.at += 10_000
    assert await work.bring(VAULT.name) == 1
    hands.clock.at += 10_000
    assert await work.bring(VAULT.name) == 1
    assert work.trouble() == ""


async def test_refused_is_parked_and_alarmed(hands: Hands) -> None:
    """What an archive will never take stays lacking, and the others go on."""
    shelf = Shelf(errors=[Refused("too-large", "30 MB")])
    work = archivist(hands, {VAULT.name: shelf})
    await work.renew()
    await say(hands, "large", "small")
    assert await work.bring(VAULT.name) == 1
    assert await hands.store.read(lambda db: copies.outstanding(db, [1, 2])) == {1: [VAULT.name]}
    (entry,) = await hands.entries("copy:parked")
    assert entry.facts["reason"] == "too-large"


async def test_what_waits_for_a_person_is_trouble(hands: Hands, monkeypatch: pytest.MonkeyPatch) -> None:
    """An archive that refused copies has not everything: how many, why, and what a person does about it, for
    as long as they are owed; also of one that no policy names any more."""
    gauges = telemetry.Metrics()
    monkeypatch.setattr(telemetry, "metrics", gauges)
    named = [VAULT]
    work = Archivist(hands.store, lambda: named, lambda _: shelf, PACE)
    shelf = Shelf(errors=[Refused("region", ""), Refused("region", ""), Refused("odd", "")])
    await work.renew()
    await say(hands, "one", "two", "three", "four")

    async def stands() -> tuple[int, int, str]:
        await work._measure()
        (lag,) = work.lags()
        return lag.wanted, lag.parked, lag.trouble

    assert await stands() == (4, 0, "")
    await work.bring(VAULT.name)
    wanted, parked, said = await stands()
    assert (wanted, parked) == (0, 3)
    assert said.startswith("records/vault refuses 3 copies (odd; region: its policy has to say")
    assert said.endswith("after that: `weighbridge sinks retry records/vault`")
    assert 'weighbridge_copies_parked{destination="records/vault"} 3.0' in gauges.render().decode()
    named.clear()
    await work.renew()
    wanted, parked, other = await stands()
    assert (parked, other) == (3, f"records/vault lacks copies, and no policy in force names it; {said}")
    named.append(VAULT)
    await work.renew()
    await hands.store.write(lambda tx: copies.retry(tx, 0, VAULT.name, "bob.li@bank.example", "mended"))
    assert await work.bring(VAULT.name) == 3
    assert await stands() == (0, 0, "")


async def test_delivery_after_a_late_answer(hands: Hands) -> None:
    """An archive that answers late lets out what waited for it then, and not before."""
    shelf = Shelf(gate=asyncio.Event())
    work = archivist(hands, {VAULT.name: shelf})
    await work.renew()
    await say(hands, "after the vault", after=True)
    bringing = asyncio.create_task(work.bring(VAULT.name))
    assert await hands.send(WEIXIN) == []
    shelf.gate.set()  # type: ignore[union-attr]
    await bringing
    assert await hands.send(WEIXIN) == ["after the vault"]


async def test_attachments_lie_beside(hands: Hands, tmp_path: Path) -> None:
    """An attachment is copied as it came, opened; the record says where the ledger has it."""
    folder = tmp_path / "drop"
    folder.mkdir()
    work = archivist(hands, {DROP: DropSink(DROP, folder)}, Destination(DROP, "file:///x", "native"))
    await work.renew()

    async def pieces() -> AsyncIterator[bytes]:
        yield b"%PDF-1.7"

    files = (File("r", "报告.pdf", Kind.FILE),)
    await hands.archive(message(SYMPHONY, "f", "see", kind=Kind.FILE, files=files))
    (wanted,) = await hands.store.wanted_files(SYMPHONY, 9)
    digest, size = await hands.store.keep(pieces(), 1000)
    await hands.store.settle_file(wanted, Blob(digest, size, "报告.pdf", Kind.FILE, "application/pdf"))
    await ruled(hands, DROP)
    assert await work.bring(DROP) == 1
    found = {path.read_bytes() for path in folder.rglob("file-0-*")}
    assert found == {b"%PDF-1.7"}
    (record,) = folder.rglob("1-*.json")
    assert b"message:judged" in record.read_bytes()


async def test_locks_follow(hands: Hands) -> None:
    """A record without an end is held; once its end is known, and no hold covers it, it is locked until then,
    and a longer term makes the lock longer. Each change is told once, also after a restart."""
    shelf = Shelf()
    work = archivist(hands, {VAULT.name: shelf})
    await work.renew()
    await say(hands, "one")
    await work.bring(VAULT.name)
    (name,) = shelf.there
    assert (shelf.held[name], shelf.until[name]) == (True, 0)
    term = {"message": 1, "entry": 1, "key": "p/c", "start": "creation", "until": 5_000}
    await hands.store.write(lambda tx: tx.db.execute(insert(s.terms).values(**term)))
    assert await work.follow_locks()
    assert (shelf.held[name], shelf.until[name]) == (False, 5000)
    shelf.until.clear()
    again = archivist(hands, {VAULT.name: shelf})
    await again.renew()
    assert await again.follow_locks()
    assert shelf.until == {}
    await hands.store.write(lambda tx: tx.db.execute(s.terms.update().values(until=9000)))
    assert await again.follow_locks()
    assert shelf.until == {name: 9000}


async def test_a_hold_that_moves_while_a_copy_is_on_its_way(hands: Hands) -> None:
    """Its lock is what it has to be as soon as it is recorded, though the look through all copies could not
    see it yet: a hold that came is on it, and one that went is off."""
    for until, others in ((None, 5_000), (5_000, None)):
        shelf = Shelf(gate=asyncio.Event())
        work = archivist(hands, {VAULT.name: shelf})
        await work.renew()
        await say(hands, "slow")
        (number,) = (await hands.rows("SELECT max(id) FROM messages"))[0]
        await term(hands, number, until)
        bringing = asyncio.create_task(work.bring(VAULT.name))
        await shelf.coming.wait()
        await term(hands, number, others)
        assert await work.follow_locks()
        shelf.gate.set()  # type: ignore[union-attr]
        assert await bringing == 1
        assert list(shelf.held.values()) == [others is None]
        assert not work.places[VAULT.name].behind


async def test_a_lock_that_could_not_follow_is_tried_again(hands: Hands) -> None:
    """Where the archive does not change the lock of a copy that was just recorded, the next look through all
    copies comes within its usual minute, not within the hour."""
    shelf = Shelf(gate=asyncio.Event())
    work = archivist(hands, {VAULT.name: shelf})
    await work.renew()
    await say(hands, "slow")
    bringing = asyncio.create_task(work.bring(VAULT.name))
    await shelf.coming.wait()
    await term(hands, 1, 5_000)
    shelf.stuck = True
    shelf.gate.set()  # type: ignore[union-attr]
    await bringing
    (name,) = shelf.there
    assert (shelf.held[name], work.places[VAULT.name].behind) == (True, True)
    shelf.stuck = False
    assert await work.follow_locks()
    assert (shelf.held[name], work.places[VAULT.name].behind) == (False, True)
    assert await work.follow_locks()
    assert not work.places[VAULT.name].behind


async def test_locks_are_looked_through_until_nothing_is_behind(
    hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look comes again as long as the last one found something, or a lock could not follow: an order about
    many records is carried out in parts."""
    work = archivist(hands, {VAULT.name: Shelf()})
    await work.renew()
    looks, enough = iter((True, True, False)), asyncio.Event()

    async def look() -> bool:
        if (behind := next(looks, None)) is None:
            pytest.fail("looked again, though nothing was behind")
        work.places[VAULT.name].behind = behind
        if not behind:
            enough.set()
        return True

    monkeypatch.setattr(work, "follow_locks", look)
    following = asyncio.create_task(work._follow())
    await asyncio.wait_for(enough.wait(), 60)
    following.cancel()
    with pytest.raises(asyncio.CancelledError):
        await following


async def term(hands: Hands, number: int, until: int | None) -> None:
    """This record is to live until then."""
    row = {"message": number, "entry": number, "key": "p/c", "start": "creation", "until": until}
    await hands.store.write(lambda tx: tx.db.execute(s.terms.delete().where(s.terms.c.message == number)))
    await hands.store.write(lambda tx: tx.db.execute(insert(s.terms).values(**row)))


async def test_the_second_revision(hands: Hands) -> None:
    """When all has become of a message what can, the archive gets it again, with what became of it."""
    shelf = Shelf()
    work = archivist(hands, {VAULT.name: shelf})
    await work.renew()
    await say(hands, "delivered")
    await work.bring(VAULT.name)
    await hands.send(WEIXIN)
    hands.clock.at += 1
    assert await work.close_lives() == 1
    assert await work.bring(VAULT.name) == 1
    first, second = shelf.there.values()
    assert b"delivery:sent" not in first.data
    assert b"delivery:sent" in second.data


async def test_compliance_waits_for_a_rehearsal(hands: Hands) -> None:
    """What nobody can unlock is not locked before somebody says, after a rehearsal, that he understands."""
    shelf, strict = Shelf(), VAULT._replace(lock="compliance")
    work = archivist(hands, {VAULT.name: shelf}, strict)
    await work.renew()
    await say(hands, "one")
    assert "rehearse" in work.trouble()
    assert work.places[VAULT.name].sink is None
    facts = {"destination": VAULT.name, "mode": "compliance"}
    await hands.store.write(lambda tx: tx.append(0, "archive:cleared", f"archive/{VAULT.name}", facts, b"{}"))
    await work.renew()
    assert await work.bring(VAULT.name) == 1


async def test_settings_that_do_not_reach(hands: Hands) -> None:
    """An archive that the settings cannot reach says so, and loses nothing; one that no policy names any more
    and that still lacks copies is told of."""
    work = archivist(hands, {})
    await work.renew()
    await say(hands, "one")
    assert "no such address" in work.trouble()
    work.named = lambda: ()
    await work.renew()
    await work._measure()
    assert "no policy in force names it" in work.trouble()
    hands.clock.at += 3_601_000
    assert [lag.late for lag in work.lags()] == [True]


async def test_a_record_that_is_declined_stands_in_nobodys_way(hands: Hands) -> None:
    """An archive that says no to one record, and takes the others, gets the others; after some tries the one
    is a person's matter. While it says no to all, nothing is parked."""
    shelf = Shelf(refuses={n: Refused(DECLINED, f"no to {n}") for n in (1, 2, 3)})
    work = archivist(hands, {VAULT.name: shelf})
    await work.renew()
    await say(hands, "one", "two", "three")

    async def rounds(count: int) -> None:
        for _ in range(count):
            await work.bring(VAULT.name)
            hands.clock.at += 300_000

    await rounds(20)
    assert (len(shelf.there), await hands.entries("copy:parked")) == (0, [])
    assert "no to" in work.trouble()
    del shelf.refuses[2], shelf.refuses[3]
    await rounds(8)
    assert [one.record.number for one in shelf.there.values()] == [2, 3]
    await say(hands, "four")
    await rounds(8)
    (entry,) = await hands.entries("copy:parked")
    assert (entry.subject, entry.facts["reason"]) == ("message/1", DECLINED)


async def test_a_record_that_is_declined_alone_is_parked_too(hands: Hands) -> None:
    """Whether or not another was taken meanwhile: after as many tries as there are, and not before."""
    shelf = Shelf(refuses={1: Refused(DECLINED, "no to 1")})
    work = archivist(hands, {VAULT.name: shelf})
    await work.renew()
    await say(hands, "one")
    for tries in range(1, PACE.tries + 1):
        await work.bring(VAULT.name)
        hands.clock.at += 300_000
        assert len(await hands.entries("copy:parked")) == (tries == PACE.tries)


async def test_a_restart_parks_nothing_of_an_archive_that_declines_all(hands: Hands) -> None:
    """What failed often enough is known after a restart, and so is that all did."""
    shelf = Shelf(refuses={n: Refused(DECLINED, "no") for n in (1, 2, 3)})
    await say(hands, "one", "two", "three")
    await hands.store.write(lambda tx: tx.db.execute(s.copies.update().values(attempt=9)))
    work = archivist(hands, {VAULT.name: shelf})
    await work.renew()
    await work.bring(VAULT.name)
    assert await hands.entries("copy:parked") == []
    hands.clock.at += 300_000
    shelf.refuses.clear()
    while await work.bring(VAULT.name):
        pass
    assert len(shelf.there) == 3


async def test_a_record_that_cannot_be_written_is_parked(
    hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends nothing, and the others go on."""
    shelf = Shelf()
    work = archivist(hands, {VAULT.name: shelf})
    await work.renew()
    await say(hands, "one", "two")
    whole = archivist_module.whole.whole

    def odd(db: Any, number: int, *more: Any) -> Any:
        found = whole(db, number, *more)
        return replace(found, said={"text": {1}}) if number == 1 else found

    monkeypatch.setattr(archivist_module.whole, "whole", odd)
    assert await work.bring(VAULT.name) == 1
    (entry,) = await hands.entries("copy:parked")
    assert entry.facts["reason"] == "unwritable"


async def ended(hands: Hands, *numbers: int, until: int) -> None:
    """These records are to live until then."""
    rows = [{"message": n, "entry": n, "key": "p/c", "start": "creation", "until": until} for n in numbers]
    await hands.store.write(lambda tx: tx.db.execute(insert(s.terms), rows))


async def test_one_object_keeps_no_other_from_its_lock(hands: Hands) -> None:
    """What is gone is brought again, locked as it has to be by now; what cannot be locked is told, and tried
    again; all others are locked at once. An archive that is away is asked once."""
    shelf = Shelf()
    work = archivist(hands, {VAULT.name: shelf})
    await work.renew()
    await say(hands, "one", "two", "three")
    await work.bring(VAULT.name)
    first, second, third = sorted(shelf.there)
    del shelf.there[first]
    shelf.locked_away.add(second)
    await ended(hands, 1, 2, 3, until=5_000)
    assert not await work.follow_locks()
    assert (shelf.until[second], shelf.until[third]) == (0, 5000)
    assert "1 copies are not locked" in work.trouble() and "is locked away" in work.trouble()
    assert [entry.subject for entry in await hands.entries("copy:lost")] == ["message/1"]
    assert await work.bring(VAULT.name) == 1
    assert shelf.until[first] == 5000
    assert "1 copies are not locked" in work.trouble()
    shelf.locked_away.clear()
    assert await work.follow_locks()
    assert (shelf.until[second], work.trouble()) == (5000, "")
    await hands.store.write(lambda tx: tx.db.execute(s.terms.update().values(until=9000)))
    shelf.locked_away, shelf.away = {first, second, third}, "the vault is away"
    assert not await work.follow_locks()
    assert "1 copies" in work.trouble()


async def test_an_archive_that_moved_is_another_one(hands: Hands) -> None:
    """What lies at one address is not looked for, nor held, at another: until the new place has a name of its
    own nothing goes there, and that is told."""
    shelf = Shelf()
    work = archivist(hands, {VAULT.name: shelf})
    await work.renew()
    await say(hands, "one")
    await work.bring(VAULT.name)
    moved = archivist(hands, {VAULT.name: shelf}, VAULT._replace(to="s3://elsewhere"))
    await moved.renew()
    assert "s3://vault" in moved.trouble() and "id of its own" in moved.trouble()
    assert moved.places[VAULT.name].sink is None
    elsewhere = archivist(hands, {VAULT.name: Shelf(host="minio.bank.example")})
    await elsewhere.renew()
    assert "s3://vault on minio.bank.example" in elsewhere.trouble()
    assert elsewhere.places[VAULT.name].sink is None
    same = archivist(hands, {VAULT.name: shelf}, VAULT._replace(to="s3://vault/"))
    await same.renew()
    assert same.trouble() == ""


async def test_read_back_every_day_whatever_restarts(hands: Hands) -> None:
    """A day after the last time, be it by another daemon; not before, and not where nothing lies."""

    async def checks(days: float) -> int:
        hands.clock.at += round(days * 86_400_000)
        work = archivist(hands, {VAULT.name: Shelf()})
        work.places[VAULT.name] = archivist_module._Place(VAULT, shelf)
        await work.check()
        return len(await hands.entries("copies:checked"))

    shelf = Shelf()
    assert await checks(2) == 0
    await say(hands, "one")
    work = archivist(hands, {VAULT.name: shelf})
    await work.renew()
    await work.bring(VAULT.name)
    assert [await checks(0), await checks(0.6), await checks(0.6)] == [1, 1, 2]
    shelf.until = dict.fromkeys(shelf.there, 0)
    shelf.held = dict.fromkeys(shelf.there, False)
    assert await checks(1.1) == 3
    assert all(shelf.held.values())


async def test_a_database_that_fails_is_the_stores_error(hands: Hands) -> None:
    """Whoever runs the archivist meets the same error as elsewhere, in words without the statement."""
    with pytest.raises(StoreError, match=r"no such table: nowhere$"):
        await archivist(hands, {})._read(lambda db: db.exec_driver_sql("SELECT 'hush' FROM nowhere"))


async def test_no_record_leaves_its_region_in_silence(hands: Hands) -> None:
    """What is of a walled region is refused before the archive is asked, a person sees it and the ledger says
    it; by the approval that the policy names it goes there, and the receipt says by which. The others go."""
    us, by = VAULT._replace(region="us-east-1"), VAULT._replace(region="us-east-1", approval="CSRC-2026-9")
    shelf, walled = Shelf(), Settings(exports=Exports(origins=("weixin=CN",)))
    await say(hands, "one")

    async def brought(destination: Destination, settings: Settings) -> int:
        work = compose.archivist(settings, hands.store, lambda: (destination,))
        work.make = lambda _: shelf
        await work.renew()
        return await work.bring(VAULT.name)

    async def again() -> None:
        retry = partial(copies.retry, lane=0, key=VAULT.name, person="bob", reason="approved")
        await hands.store.write(lambda tx: retry(tx))

    for n in range(2):
        assert await brought((us, us._replace(region=""))[n], walled) == 0
        assert [entry.facts["reason"] for entry in await hands.entries("copy:parked")] == ["region"] * (n + 1)
        await again()
    assert shelf.there == {}
    assert await brought(by, walled) == 1
    await say(hands, "two")
    assert await brought(VAULT._replace(region="CN"), walled) == 1
    await say(hands, "three")
    assert await brought(us, Settings(exports=Exports(origins=("weixin=HK",)))) == 1
    c, k = s.content.c, s.copies.c
    query = select(c.body).join(s.copies, (k.lane == c.lane) & (k.entry == c.seq)).order_by(k.message)
    receipts = await hands.store.read(lambda db: [json.loads(body) for body in db.scalars(query)])
    assert [one.get("approval") for one in receipts] == ["CSRC-2026-9", None, None]


async def test_people_are_named_as_in_exports(hands: Hands) -> None:
    """By the settings' domain and rules, which a daemon's archivist gets."""
    exports = Exports(address_domain="clients.bank.example", origins=("weixin=MO",))
    shelf, settings = Shelf(), Settings(exports=exports)
    work = compose.archivist(settings, hands.store, lambda: (VAULT,))
    work.make = lambda _: shelf
    await work.renew()
    await say(hands, "one")
    assert await work.bring(VAULT.name) == 1
    (parcel,) = shelf.there.values()
    (reader,) = parcel.record.readers
    assert (reader.address.rpartition("@")[2], parcel.record.origin) == ("clients.bank.example", "MO")
