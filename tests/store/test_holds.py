"""Legal holds: at once, both sides, what comes later too; lifted by two people; what fails, holds."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from disposals import DAY, FIRST, SHORT, Firm, firm
from rig import CONTACT, LANGUAGES, PAIR, START, STREAM, Hands, judge, message
from store.test_terms_and_standings import sound
from story import passed

from bridge import desk, pipeline
from bridge.errors import ConfigError, Conflict, Damaged, Missing, NotAllowed
from bridge.message import SYMPHONY, WEIXIN, Archived, Message, Retention, Verdict
from bridge.policy import Source, assemble
from bridge.ports import Placing, Ruling
from bridge.search.query import parse
from bridge.store import disposal, holds, terms
from bridge.store.database import Database
from bridge.store.documents import last_number
from bridge.store.heartbeats import beat
from bridge.store.identities import MEANT
from bridge.store.proving import acts_about

ALICE = "with:alice.wong@bank.example"
LATER = START + 9 * 366 * 86_400_000
POLICY = """\
policy: hk-equities
language: 1
title: t
owner: compliance-hk@bank.example
timezone: Asia/Hong_Kong
legal_holds:
  - { id: matter-3, people: [alice.wong@bank.example], since: %s, approved_by: carol@bank.example }
"""


async def archive(old: Firm, *messages: Message) -> None:
    """Archive and judge in a firm: everything lives for thirty days."""
    await old.story.archive(*messages)
    for one in await old.store.unjudged(9):
        await old.store.record_rulings([Ruling(one, replace(passed(one), retention=(SHORT,)), "")])


async def say(hands: Hands, *messages: Message, held_by: tuple[str, ...] = ()) -> None:
    """Archive, judge, deliver; everything lives for a year."""

    def judging(archived: Archived, now: datetime) -> Verdict:
        classes = (Retention("hk-equities/records", "1y"),)
        return replace(judge(archived, now), retention=classes, legal_holds=held_by)

    await hands.archive(*messages)
    rulings = pipeline.decide(await hands.store.unjudged(100), judging, hands.clock.now(), LANGUAGES)
    await hands.store.record_rulings(rulings)
    await hands.send(WEIXIN)
    await hands.send(SYMPHONY)


async def place(hands: Hands, name: str, query: str) -> None:
    """Hold what a query finds."""
    canonical = str(parse(query, datetime.fromtimestamp(hands.clock.now() / 1000, UTC), UTC))
    await desk.place_hold(hands.store, Placing(name, canonical, query, "carol", "a complaint"))


async def kept(hands: Hands, *numbers: int) -> list[tuple[str, ...]]:
    """What keeps these messages long after their terms."""
    return await hands.store.read(
        lambda db: [one.kept for one in terms.standings(db, numbers, LATER, holds.standing_holds(db))]
    )


async def test_a_hold_covers_both_sides_and_what_comes(hands: Hands) -> None:
    """What she wrote, what was written to her, before and after it was placed; and notices about it."""
    await say(hands, message(SYMPHONY, 1), message(WEIXIN, 2, "BLOCK"))
    assert await kept(hands, 1, 2) == [(), ()]
    await place(hands, "CASE-7", ALICE)
    await say(hands, message(WEIXIN, 3, "later"))
    numbers = [number for (number,) in await hands.rows("SELECT id FROM messages ORDER BY id")]
    assert len(numbers) == 4
    assert await kept(hands, *numbers) == [("hold CASE-7",)] * 4
    assert await sound(hands) == []


async def test_holds_overlap(hands: Hands) -> None:
    """Each is named; to lift one leaves the other."""
    await say(hands, message(SYMPHONY, 1, "the swap"), message(WEIXIN, 2, "hello"))
    await place(hands, "CASE-7", "swap")
    await place(hands, "CASE-8", "hello")
    await place(hands, "CASE-9", ALICE)
    assert await kept(hands, 1, 2) == [("hold CASE-7", "hold CASE-9"), ("hold CASE-8", "hold CASE-9")]
    await desk.propose_lift(hands.store, "CASE-9", "carol", "settled")
    await desk.lift_hold(hands.store, "CASE-9", "dave", "agreed", ())
    assert await kept(hands, 1, 2) == [("hold CASE-7",), ("hold CASE-8",)]
    assert await sound(hands) == []


@pytest.mark.parametrize("key", [CONTACT, STREAM])
async def test_a_conversation_is_both_its_halves(hands: Hands, key: str) -> None:
    """Each network has a key of its own for it: whichever is named, all of it is held, and what is written
    when the client was paired anew in another room."""
    await say(hands, message(SYMPHONY, 1), message(WEIXIN, 2))
    await place(hands, "CASE-7", f"in:{key}")
    assert await kept(hands, 1, 2) == [("hold CASE-7",)] * 2
    await hands.store.end_pair(1, "carol", "moved")
    await hands.store.make_pair({**PAIR, "stream": "another room"}, "carol", "moved")
    await say(hands, message(SYMPHONY, 3, conversation="another room"))
    assert await kept(hands, 3) == [("hold CASE-7",)], "his half is one, whoever he talks to"


async def test_two_people_lift_a_hold(hands: Hands) -> None:
    """The proposer's own yes, however spelt, is none; nor is that of somebody who is not legal."""
    await say(hands, message(SYMPHONY, 1))
    await place(hands, "CASE-7", ALICE)
    with pytest.raises(Conflict):
        await desk.lift_hold(hands.store, "CASE-7", "dave", "at once", ())
    await desk.propose_lift(hands.store, "CASE-7", "carol", "settled")
    with pytest.raises(Conflict):
        await desk.propose_lift(hands.store, "CASE-7", "erin", "settled")
    with pytest.raises(NotAllowed):
        await desk.lift_hold(hands.store, "CASE-7", "CAROL ", "yes", ())
    with pytest.raises(NotAllowed):
        await desk.lift_hold(hands.store, "CASE-7", "dave", "yes", ("erin",))
    assert await kept(hands, 1) == [("hold CASE-7",)]
    await desk.refuse_lift(hands.store, "CASE-7", "erin", "not yet")
    with pytest.raises(Conflict):
        await desk.lift_hold(hands.store, "CASE-7", "erin", "yes", ("erin",))
    await desk.propose_lift(hands.store, "CASE-7", "carol", "settled now")
    await desk.lift_hold(hands.store, "CASE-7", "erin", "yes", ("Erin",))
    (one,) = await hands.store.read(holds.holds)
    assert (one.state, one.proposed_by, one.lifted_by, one.why) == ("lifted", "carol", "erin", "settled now")
    kinds = [entry.kind for entry in await hands.entries() if entry.kind.startswith("legal:")]
    assert kinds == [
        *("legal:placed", "legal:lift-proposed", "legal:lift-refused", "legal:lift-proposed", "legal:lifted")
    ]
    assert await sound(hands) == []


async def test_to_lift_a_hold_disposes_of_nothing(hands: Hands) -> None:
    """Every message is there afterwards, and opens."""
    await say(hands, message(SYMPHONY, 1))
    await place(hands, "CASE-7", ALICE)
    before = await hands.rows("SELECT count(*) FROM content")
    await desk.propose_lift(hands.store, "CASE-7", "carol", "settled")
    await desk.lift_hold(hands.store, "CASE-7", "dave", "agreed", ())
    assert await hands.rows("SELECT count(*) FROM content") == [(before[0][0] + 2,)]
    assert await kept(hands, 1) == [()]


async def test_names_of_holds(hands: Hands) -> None:
    """A name is used once, in plain letters; one that nobody placed is missing."""
    await place(hands, "CASE-7", ALICE)
    with pytest.raises(Conflict):
        await place(hands, "CASE-7", "swap")
    for name in ("", "案件", "a b", "-x", "x" * 65):
        with pytest.raises(ConfigError):
            await place(hands, name, "swap")
    with pytest.raises(Missing):
        await desk.propose_lift(hands.store, "CASE-8", "carol", "?")


async def test_what_cannot_be_opened_is_held(hands: Hands) -> None:
    """Nobody can say that it is not what a hold is about."""
    await say(hands, message(SYMPHONY, 1), message(SYMPHONY, 2), message(SYMPHONY, 3))
    await place(hands, "CASE-7", "somethingelse")
    entries = await hands.entries("message:archived", "message:judged")
    archived, judged = entries[0].seq, entries[-1].seq
    for seq in (archived, judged):
        await hands.store.write(
            lambda tx, seq=seq: tx.db.exec_driver_sql(f"DELETE FROM data_keys WHERE seq = {seq}")
        )
    assert await kept(hands, 1, 2, 3) == [("hold CASE-7",), (), ("hold CASE-7",)]


async def test_what_cannot_be_read_holds_everything(hands: Hands) -> None:
    """A policy in force whose file is not there, a hold whose words are gone: nobody knows their reach."""
    await say(hands, message(SYMPHONY, 1))
    await hands.store.activate_policy([("hk-equities", "ab" * 32)], "carol", "from elsewhere")
    assert await kept(hands, 1) == [(f"hold {holds.UNREADABLE}",)]
    await place(hands, "CASE-7", "somethingelse")
    (placed,) = await hands.entries("legal:placed")
    delete = f"DELETE FROM data_keys WHERE seq = {placed.seq}"
    await hands.store.write(lambda tx: tx.db.exec_driver_sql(delete))
    assert await kept(hands, 1) == [(f"hold {holds.UNREADABLE}", "hold CASE-7")]


@pytest.mark.parametrize(("since", "held"), [("2025-12-01", True), ("2026-12-01", False)])
async def test_a_policy_holds_records_from_before_it(hands: Hands, since: str, held: bool) -> None:
    """A hold of a policy in force covers its people from its day on, whatever decided when they wrote."""
    await say(hands, message(SYMPHONY, 1), message(WEIXIN, 2))
    source = Source("hk.yaml", (POLICY % since).encode())
    await hands.store.activate_policy([("hk-equities", source.hash)], "carol", "a complaint", [source])
    assert await kept(hands, 1, 2) == [("hold hk-equities/matter-3",) if held else ()] * 2


async def test_a_policy_holds_a_person_under_every_id_and_address(hands: Hands) -> None:
    """Renamed, with an id alone while nobody had paired her, as an account that was made anew: all hers."""
    hers, anew = {"address": "alice.wong@bank.example"}, {"sender": "7099", "conversation": "another room"}
    apart = {"conversation": "another room"}
    await say(hands, message(SYMPHONY, 1, **hers))
    source = Source("hk.yaml", (POLICY % "2025-12-01").encode())
    await hands.store.activate_policy([("hk-equities", source.hash)], "carol", "a complaint", [source])
    assert await kept(hands, 1) == [("hold hk-equities/matter-3",)]
    await say(
        hands,
        message(SYMPHONY, 2, address="alice.chan@bank.example"),
        message(SYMPHONY, 3, **apart),
        message(SYMPHONY, 4, address="alice.chan@bank.example", **anew),
        message(SYMPHONY, 5, **anew),
        message(SYMPHONY, 6, sender="7100", address="bob.li@bank.example", conversation="another room"),
    )
    names = await kept(hands, 2, 3, 4, 5, 6)
    assert ["hold hk-equities/matter-3" in one for one in names] == [True, True, True, True, False]


async def test_what_goes_takes_nobody_out_of_a_hold(tmp_path: Path) -> None:
    """A record from before a hold's first day may go. It alone said whose address an id was: that is written
    down before, once, and what was written under that id later stays held, in a process that never saw it."""
    old = firm(tmp_path)
    apart = {"sender": "7009", "conversation": "another room"}
    hers = old.story.says("hello", address="dora.ng@bank.example")
    await old.store.own("daemon")
    await archive(old, replace(hers, **apart))
    old.story.clock.at += 40 * DAY
    since = datetime.fromtimestamp(old.story.clock.at / 1000, UTC) - timedelta(days=20)
    text = (POLICY % f"{since:%Y-%m-%d}").replace("alice.wong", "dora.ng")
    source = Source("hk.yaml", text.encode())
    await old.store.activate_policy([("hk-equities", source.hash)], FIRST, "a complaint", [source])
    later = old.story.says("delete the mails", address="dora.chan@bank.example")
    await archive(old, replace(later, **apart), replace(old.story.says("and this", address=""), **apart))
    old.story.clock.at += 40 * DAY
    await old.store.write(lambda tx: beat(tx, 0, "weixin", tx.now, 0))
    for _ in range(2):
        await old.dispose()
    old.store.close()
    old.story.store = Database(old.story.url, old.story.blobs, old.story.clock)
    last = await old.store.read(last_number)
    assert await old.store.read(lambda db: disposal.fate(db, last - 2)) is not None
    numbers = [last - 1, last]
    said = await old.store.read(lambda db: terms.standings(db, numbers, LATER, holds.standing_holds(db)))
    assert [one.kept for one in said] == [("hold hk-equities/matter-3",)] * 2
    assert len(await old.store.read(lambda db: acts_about(db, MEANT))) == 1
    assert await old.findings() == []
    old.store.close()


async def test_what_was_written_down_of_people_and_is_gone_frees_nobody(hands: Hands) -> None:
    """Nobody knows then whom a policy's hold means: it is on everything."""
    other = message(SYMPHONY, 1, sender="7100", address="bob.li@bank.example", conversation="another room")
    await say(hands, other)
    source = Source("hk.yaml", (POLICY % "2025-12-01").encode())
    await hands.store.activate_policy([("hk-equities", source.hash)], "carol", "a complaint", [source])
    await hands.store.write(lambda tx: holds.note_meant(tx, 0))
    assert await kept(hands, 1) == [("undecided",)]
    (noted,) = await hands.entries("people:meant")
    await hands.store.write(lambda tx: tx.db.exec_driver_sql(f"DELETE FROM content WHERE seq = {noted.seq}"))
    assert await kept(hands, 1) == [("undecided", "hold hk-equities/matter-3")]


async def test_no_timezone_narrows_the_hold_of_a_policy(hands: Hands) -> None:
    """Its first day begins where it begins first, because one person can save another zone."""
    await say(hands, message(SYMPHONY, 1))
    day = datetime.fromtimestamp(START / 1000, UTC) + timedelta(hours=14)
    for zone in ("Pacific/Kiritimati", "Pacific/Midway"):
        text = (POLICY % f"{day:%Y-%m-%d}").replace("Asia/Hong_Kong", zone)
        source = Source("hk.yaml", text.encode())
        await hands.store.activate_policy([("hk-equities", source.hash)], "carol", "saved", [source])
        assert await kept(hands, 1) == [("hold hk-equities/matter-3",)]


async def test_a_clock_that_was_put_right_holds_nothing(hands: Hands) -> None:
    """What came into force last is the last entry of its lane, also when the clock went back before it."""
    await say(hands, message(SYMPHONY, 1))
    sources = [Source("hk.yaml", (POLICY % day).encode()) for day in ("2026-12-01", "2026-12-02")]
    for source in sources:
        await hands.store.activate_policy([("hk-equities", source.hash)], "carol", "saved", [source])
        hands.clock.at -= 600_000
    assert await kept(hands, 1) == [()]


async def test_a_recorded_hold_counts_while_its_policy_has_it(hands: Hands) -> None:
    """Whom a hold is about may change: what was judged under it stays under it, until it is gone."""
    await say(hands, message(SYMPHONY, 1), held_by=("hk-equities/matter-3",))
    assert await kept(hands, 1) == [()]
    other = (POLICY % "2025-12-01").replace("alice.wong", "somebody.else")
    found, _ = assemble([Source("hk.yaml", other.encode())])
    names = await hands.store.read(
        lambda db: [one.kept for one in terms.standings(db, [1], LATER, holds.standing_holds(db, found))]
    )
    assert names == [("hold hk-equities/matter-3",)]


async def test_a_proposal_to_lift_is_no_row(hands: Hands) -> None:
    """One person and the table do not lift a hold: somebody else has to have proposed it, by an entry."""
    await hands.store.write(lambda tx: holds.place(tx, 0, Placing("CASE-7", "swap", "swap", "carol", "r")))
    await hands.store.write(lambda tx: tx.db.exec_driver_sql("UPDATE holds SET state = 'proposed'"))
    with pytest.raises(Conflict):
        await hands.store.write(lambda tx: holds.lift(tx, "CASE-7", "bob", "mine alone", ()))
    assert await hands.store.read(holds.standing) == ["CASE-7"]


async def test_an_act_that_is_gone_leaves_no_other_as_the_last_word(hands: Hands) -> None:
    """A proposal that was refused is no proposal, also when what was said of the refusal is gone."""
    await place(hands, "CASE-7", ALICE)
    await desk.propose_lift(hands.store, "CASE-7", "carol", "settled")
    await desk.refuse_lift(hands.store, "CASE-7", "erin", "not yet")
    (refused,) = await hands.entries("legal:lift-refused")
    delete = f"DELETE FROM content WHERE seq = {refused.seq}"
    await hands.store.write(lambda tx: tx.db.exec_driver_sql(delete))
    with pytest.raises(Damaged):
        await desk.lift_hold(hands.store, "CASE-7", "dave", "agreed", ())
    assert await hands.store.read(holds.standing) == ["CASE-7"]
