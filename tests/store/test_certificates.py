"""What certificates found stands until a thorough run finds it no longer, or a person says why.

Rules of this file: entries are forged as somebody would who can write to the database: well formed, and
under any name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import orjson
import pytest
from rig import Hands
from sqlalchemy import Connection, select, update

from bridge.assurance import due
from bridge.errors import Conflict, Damaged, Missing
from bridge.message import SYMPHONY, WEIXIN
from bridge.records.certificate import Account, Certificate, Finding
from bridge.store import certificates
from bridge.store import schema as s
from bridge.store.certificates import NEVER, UNASKED, Kept, Settled, Standing
from bridge.store.verify import verify

LAST = date(2026, 1, 4)
"""The day before the ledger of these tests begins: none lacks a certificate."""

WHO = "alice.wong@bank.example"
ON_FILES = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
"""What is decided of entries once they are read is the same on every engine."""

LOST = {"fault source missing": ("symphony/s8: it is not there",)}


async def keep(
    hands: Hands, day: str = "2026-01-03", *, until: int = 0, lists: Mapping[str, Any] = {}, **more: Any
) -> Certificate:
    """One more run of a day, as it was drawn up."""
    span = certificates.span_of(day)
    assert span is not None
    run = await hands.store.read(lambda db: certificates.next_run(db, day))
    totals = {name: len(items) for name, items in lists.items()}
    one = Certificate(day, run, span[0], until or span[1], 2, (0, ""), lists=lists, totals={**totals}, **more)
    await hands.store.write(lambda tx: certificates.certify(tx, 0, one))
    return one


async def standing(hands: Hands, last: date = LAST) -> dict[str, Standing]:
    """What stands, by name."""
    found = await hands.store.read(lambda db: certificates.stand(db, last))
    return {one.name: one for one in found}


async def settle(hands: Hands, name: str, run: int, reason: str = "ticket 4711", last: date = LAST) -> None:
    """A person says why."""
    await hands.store.write(lambda tx: certificates.settle(tx, 0, name, run, WHO, reason, last))


async def forge(hands: Hands, subject: str, change: Callable[[dict[str, Any]], object], to: str = "") -> None:
    """Write over the newest entry of a subject, and put it under another, as whoever has the disk can."""

    def write(db: Connection) -> None:
        c = s.ledger.c
        newest = select(c.seq, c.entry).where(c.subject == subject).order_by(c.seq.desc())
        seq, data = db.execute(newest).first()
        value = orjson.loads(data)
        change(value)
        entry = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
        db.execute(update(s.ledger).where(c.seq == seq).values(entry=entry, subject=to or subject))

    await hands.store.write(lambda tx: write(tx.db))


async def test_the_last_whole_day_stands_for_how_things_are(hands: Hands) -> None:
    """Not a span, not a part of a later day, not an older day that was certified again, not a run that asked
    less than another of its day, and no day that is still to come."""
    at = certificates.span_of("2024-10-05")[0]
    await keep(hands, "2024-10-04")
    await keep(hands, "2024-10-04", closed=(SYMPHONY,))
    await keep(hands, "2024-10-05", until=at + 5)
    await keep(hands, "2024-10-03")
    await keep(hands, "2024-10-04..2024-10-05")
    entries = await hands.store.read(certificates.book)
    found = entries.newest(hands.clock.now())
    assert found is not None and (found.day, found.run, found.unasked) == ("2024-10-04", 1, ())
    assert entries.newest(at - 1).day == "2024-10-03"
    late = await hands.store.read(lambda db: certificates.certified(db, first="2024-10-05"))
    assert [one.day for one in late] == ["2024-10-05"]


async def test_a_certificate_is_an_entry_like_any_other(hands: Hands, tmp_path: Path) -> None:
    """It is read as it was written, and the auditor has nothing to object to, also once it was settled."""
    one = await keep(hands, lists=LOST)
    await settle(hands, "2026-01-03", 1)
    kept = await hands.store.read(lambda db: certificates.certificate(db, "2026-01-03"))
    assert kept.canonical() == one.canonical()
    findings: list = []
    await hands.store.read(lambda db: verify(db, tmp_path / "blobs", findings.append))
    assert findings == []


@ON_FILES
async def test_a_day_without_a_certificate_is_missing(hands: Hands) -> None:
    """Nobody is given an empty page for it, or another run; the command that makes one is named."""
    with pytest.raises(Missing, match="certify --since 2026-01-01 --until 2026-01-04"):
        await hands.store.read(lambda db: certificates.certificate(db, "2026-01-01..2026-01-03"))
    await keep(hands)
    with pytest.raises(Missing, match="no run 2"):
        await hands.store.read(lambda db: certificates.certificate(db, "2026-01-03", 2))


@ON_FILES
async def test_a_run_that_asked_less_hides_nothing_and_clears_nothing(hands: Hands) -> None:
    """What the first run found and what a later one found stand together, whichever of them asked less;
    once all was asked and it is not found, it stands no more."""
    await keep(hands, lists=LOST, closed=())
    await settle(hands, "2026-01-03", 1)
    await keep(hands, lists={"fault archive altered": ("message/2: sender",)}, closed=(SYMPHONY,))
    await keep(hands, lists={"fault archive altered": ("message/2: kind",)}, gaps=1)
    (one,) = (await standing(hands)).values()
    assert (one.run, one.differences) == (3, 2)
    assert {item for _, item, _ in one.findings} == {"message/2: sender", "message/2: kind"}
    await keep(hands)
    assert await standing(hands) == {}


@ON_FILES
async def test_settling_takes_what_was_looked_at_and_nothing_else(hands: Hands) -> None:
    """Run 1 was read, run 2 found more since: a conflict that says what to read. With the run that is there,
    and a reason, it is done, once."""
    await keep(hands, lists=LOST)
    await keep(hands, lists={**LOST, "fault outbox missing": ("delivery/1",)})
    with pytest.raises(Conflict, match="by now run 2 stands: `weighbridge certify alerts 2026-01-03`"):
        await settle(hands, "2026-01-03", 1)
    with pytest.raises(Conflict, match="reason"):
        await settle(hands, "2026-01-03", 2, " \t")
    assert (await standing(hands))["2026-01-03"].differences == 2
    await settle(hands, "2026-01-03", 2)
    assert await standing(hands) == {}
    with pytest.raises(Missing):
        await settle(hands, "2026-01-03", 2)


@ON_FILES
async def test_one_difference_is_settled_once_whatever_the_day(hands: Hands) -> None:
    """The same entry of the ledger is broken for every day: one word is enough. Another fault of the same
    item, and what is merely unusual, are told for themselves."""
    broken = {"fault archive altered": ("ledger lane 0 seq 3: not what was hashed",)}
    await keep(hands, "2026-01-01", lists=broken, alerts=("no network was asked",))
    await settle(hands, "2026-01-01", 1)
    await keep(hands, "2026-01-02", lists=broken)
    await keep(hands, "2026-01-03", lists=broken, alerts=("no network was asked",))
    await keep(hands, "2026-01-04", lists={"fault archive altered": ("ledger lane 0 seq 3: gone",)})
    found = await standing(hands)
    assert {name: (one.differences, one.alerts) for name, one in found.items()} == {
        "2026-01-03": (0, 1),
        "2026-01-04": (1, 0),
    }


@ON_FILES
async def test_what_was_settled_and_is_back_stands_again(hands: Hands) -> None:
    """It was explained, it was put right, it is wrong again: nobody has explained that."""
    await keep(hands, lists=LOST)
    await settle(hands, "2026-01-03", 1)
    await keep(hands, lists=LOST)
    assert await standing(hands) == {}
    await keep(hands)
    await keep(hands, lists=LOST)
    assert (await standing(hands))["2026-01-03"].differences == 1


@ON_FILES
async def test_a_list_that_was_cut_counts_whole(hands: Hands) -> None:
    """Two items are listed and nine counted: nine stand."""
    one = await keep(hands, lists={"fault x": ("a", "b")})
    more = Certificate(**{**{f: getattr(one, f) for f in one.__slots__}, "run": 2, "totals": {"fault x": 9}})
    await hands.store.write(lambda tx: certificates.certify(tx, 0, more))
    assert (await standing(hands))["2026-01-03"].differences == 9


@ON_FILES
@pytest.mark.parametrize(
    "day", ["zzz", "2026-13-01", "9999-12-31", "2026-01-01..x", "2026-01-02..2026-01-01", "2026-01-02"]
)
async def test_a_forged_certificate_ends_nothing_hides_nothing_and_can_be_settled(
    hands: Hands, day: str
) -> None:
    """A well formed entry of a day that is none, is to come, or is not the one it was made of: it is named by
    its place, what else stands goes on to stand, and a person can say why."""
    await keep(hands, "2026-01-03", lists={}, alerts=("no network was asked",))
    await keep(hands, "2025-01-04")
    await forge(hands, "day/2025-01-04", lambda entry: entry.update(subject=f"day/{day}"), f"day/{day}")
    found = await standing(hands)
    (entry,) = [one for one in found.values() if one.spoiled]
    assert found["2026-01-03"].alerts == 1 and entry.name.startswith("entry/0/")
    await settle(hands, entry.name, 0)
    assert list(await standing(hands)) == ["2026-01-03"]


@ON_FILES
async def test_a_name_that_is_no_text_is_named_by_its_place(hands: Hands) -> None:
    """Whoever writes bytes where a subject stands ends no look at the others."""
    await keep(hands, "2026-01-02", lists=LOST)
    await keep(hands)
    change = "UPDATE ledger SET subject = CAST(x'6461792fff41' AS TEXT) WHERE subject = 'day/2026-01-03'"
    await hands.store.write(lambda tx: tx.db.exec_driver_sql(change))
    found = await standing(hands)
    (entry,) = [one for one in found.values() if one.spoiled]
    assert set(found) == {"2026-01-02", entry.name}
    await settle(hands, entry.name, 0)


@ON_FILES
@pytest.mark.parametrize("facts", [{"until": 1 << 80}, {"run": "1"}, {"since": None}, {"unasked": "x"}])
async def test_an_entry_of_no_form_is_spoiled(hands: Hands, facts: Mapping[str, Any]) -> None:
    """Numbers past every calendar, words for numbers: nothing is taken of it."""
    await keep(hands)

    def change(entry: dict[str, Any]) -> None:
        entry["facts"].update(
            {name: min(v, 1 << 63) if isinstance(v, int) else v for name, v in facts.items()}
        )

    await forge(hands, "day/2026-01-03", change)
    (one,) = (await standing(hands)).values()
    assert one.spoiled


@ON_FILES
async def test_a_certificate_that_was_spoiled_stands_until_somebody_settles_it(hands: Hands) -> None:
    """What a run found is overwritten: that stands in its place, and a clean run after it changes nothing."""
    await keep(hands, lists=LOST)
    run = select(s.ledger.c.seq).where(s.ledger.c.subject == "day/2026-01-03").scalar_subquery()
    spoil = update(s.content).where(s.content.c.seq == run).values(body=b"\0")
    await hands.store.write(lambda tx: tx.db.execute(spoil))
    _, lost = await hands.store.read(lambda db: certificates.unfound(db, "2026-01-03"))
    assert lost == ["certificate of 2026-01-03, run 1"]
    named = {"fault archive altered": (f"{lost[0]}: {certificates.LOST}",)}
    await keep(hands, lists=named)
    (one,) = (await standing(hands)).values()
    assert one.findings == (Finding("fault archive altered", named["fault archive altered"][0]),)
    await settle(hands, "2026-01-03", 2)
    assert await standing(hands) == {}


@ON_FILES
async def test_an_entry_that_says_less_than_its_certificate_is_no_word(hands: Hands) -> None:
    """Somebody writes a smaller number of differences into the entry: its certificate is not what it was."""
    await keep(hands, lists={**LOST, "fault x": ("a",)})
    await forge(hands, "day/2026-01-03", lambda entry: entry["facts"].update(differences=1))
    with pytest.raises(Damaged, match="run 1, is not what"):
        await hands.store.read(lambda db: certificates.certificate(db, "2026-01-03"))
    (one,) = (await standing(hands)).values()
    assert one.findings[0].item == f"certificate of 2026-01-03, run 1: {certificates.LOST}"


@ON_FILES
async def test_a_spoiled_certificate_that_found_nothing_can_be_settled(hands: Hands) -> None:
    """It stands for nobody before it is asked for; who cannot bring its page to a folder can say why."""
    await keep(hands)
    await hands.store.write(lambda tx: tx.db.execute(update(s.content).values(body=b"\0")))
    with pytest.raises(Damaged):
        await hands.store.read(lambda db: certificates.certificate(db, "2026-01-03"))
    await settle(hands, "2026-01-03", 1)
    with pytest.raises(Missing):
        await settle(hands, "2026-01-03", 1)


@ON_FILES
@pytest.mark.parametrize("forged", ["2026-01-03", "2026-01-02"])
async def test_nobody_settles_by_an_entry_alone(hands: Hands, forged: str) -> None:
    """What the house sealed beside the settling of one day is no word on another, and no entry is without
    what was sealed beside it."""
    for day in ("2026-01-02", "2026-01-03"):
        await keep(hands, day, lists={"fault x": (day,)})
    await settle(hands, "2026-01-02", 1)
    if forged == "2026-01-03":
        to = f"settled/{forged}"
        await forge(hands, "settled/2026-01-02", lambda entry: entry.update(subject=to), to)
    else:
        await forge(hands, "settled/2026-01-02", lambda entry: entry["facts"].update(run=9))
    found = await standing(hands)
    assert {name for name, one in found.items() if one.differences} == {"2026-01-02", "2026-01-03"}
    assert len(found) == 3 and next(one for one in found.values() if one.spoiled)


async def test_days_that_nobody_certified_stand_however_old(hands: Hands) -> None:
    """From the day on which the ledger begins, weeks later: those without a run, and those of which no run
    asked every network, until a run does, or somebody settles them, one by one or together."""
    last = date(2026, 3, 1)
    hands.clock.forward(60 * certificates.DAY)
    for day in range(8, 32):
        await keep(hands, f"2026-01-{day:02}")
    await keep(hands, "2026-02-01..2026-02-27")
    await keep(hands, "2026-02-28", closed=(WEIXIN,))
    found = await standing(hands, last)
    assert {name: one.findings for name, one in found.items()} == {
        "2026-01-05": (NEVER,),
        "2026-01-06": (NEVER,),
        "2026-01-07": (NEVER,),
        "2026-02-28": (UNASKED,),
        "2026-03-01": (NEVER,),
    }
    entries = await hands.store.read(certificates.book)
    named = [one.name for one in certificates.by_weight(list(found.values()), entries)]
    assert named == ["2026-02-28", "2026-01-05..2026-01-07", "2026-03-01"]
    await settle(hands, "2026-01-05..2026-01-07", 0, last=last)
    await settle(hands, "2026-02-28", 1, last=last)
    await keep(hands, "2026-03-01", accounts=(Account("source", SYMPHONY, {"unasked": 3}),), gaps=1)
    assert (await standing(hands, last))["2026-03-01"].findings == (UNASKED,)
    await keep(hands, "2026-03-01", gaps=1)
    assert await standing(hands, last) == {}, "a gap in which nothing could be compared troubles nobody"


@ON_FILES
async def test_settling_a_span_settles_no_day_unseen(hands: Hands) -> None:
    """What the certificate of a span found is explained; that its days were never certified is not."""
    hands.clock.forward(9 * certificates.DAY)
    await keep(hands, "2026-01-05..2026-01-06", lists=LOST, closed=(WEIXIN,))
    last = date(2026, 1, 6)
    await settle(hands, "2026-01-05..2026-01-06", 1, last=last)
    assert set(await standing(hands, last)) == {"2026-01-05", "2026-01-06"}


@ON_FILES
@pytest.mark.parametrize("at", [0, 1 << 60])
async def test_a_beginning_that_cannot_be_is_a_week_ago(hands: Hands, at: int) -> None:
    """Every early entry lies about its time: the last week is what is to be certified, and no more."""

    def write(db: Connection) -> None:
        for row in db.execute(select(s.ledger.c.lane, s.ledger.c.seq, s.ledger.c.entry)).all():
            entry = orjson.dumps({**orjson.loads(row.entry), "at": at}, option=orjson.OPT_SORT_KEYS)
            db.execute(update(s.ledger).where(s.ledger.c.seq == row.seq).values(entry=entry))

    await hands.store.write(lambda tx: write(tx.db))
    last = date(2026, 3, 7)
    assert await hands.store.read(lambda db: certificates.began(db, last)) == date(2026, 3, 1)


@ON_FILES
@pytest.mark.parametrize("hour", [0, 2, 23])
async def test_a_store_that_begins_now_lacks_no_day(hands: Hands, hour: int) -> None:
    """Whatever the hour at which days are certified: nobody is called about days before there was a store."""
    last = due(hands.clock.now(), hour)
    assert await hands.store.read(lambda db: certificates.stand(db, last)) == []


def test_who_settled_what_is_by_place() -> None:
    """A run that was made after the settling is not settled by it, whatever number it claims."""
    one = Kept("2026-01-03", 1, 0, 0, 1, "", 0, 1, 0, (), seq=5)
    entries = certificates.Book([one], {"2026-01-03": Settled(9, 0, 4)}, [])
    assert not entries.is_settled(one) and entries.is_settled(one._replace(seq=3))
