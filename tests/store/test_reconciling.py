"""What lies in a span of time, and what of it was disposed of; single faults: `tests/tamper`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from disposals import firm
from rig import Clock, Hands, message, opened
from sqlalchemy import Connection, delete, func, select
from store.test_copies import JOURNAL, VAULT, due, ruled, take
from store.test_waivers import grant, propose
from story import START, copy_of_the_story

from bridge.keepers import KeyFile
from bridge.message import SYMPHONY, WEIXIN, Kind, Sighting, sighting
from bridge.ports import WENT, Step
from bridge.records.reconcile import Recount, Stage, What
from bridge.store import copies, reconciling
from bridge.store import schema as s
from bridge.store.database import open_engine

DAY = 86_400_000
MIDNIGHT = Clock().now() // DAY * DAY
"""When the day begins on which the clocks of the rig do."""


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Connection]:
    """A connection to a copy of the story, in a transaction that is thrown away."""
    copy_of_the_story(tmp_path)
    engine = open_engine(f"sqlite:///{tmp_path}/weighbridge.db", KeyFile(tmp_path / "secrets/store-key"))
    with engine.connect() as connection:
        transaction = connection.begin()
        yield connection
        transaction.rollback()
    engine.dispose()


def test_spans_lie_side_by_side(db: Connection) -> None:
    """Two days have every entry and message of both, none twice; a day before the first has nothing."""
    whole = reconciling.span(db, 0, 0, START + 10 * DAY)
    one = reconciling.span(db, 0, 0, START + DAY // 2)
    two = reconciling.span(db, 0, START + DAY // 2, START + 10 * DAY)
    assert one.entries[1] == two.entries[0] and one.messages[1] == two.messages[0]
    assert (one.entries[0], two.entries[1]) == whole.entries
    assert (one.messages[0], two.messages[1]) == whole.messages
    assert one.messages[0] < one.messages[1] < two.messages[1]
    for since, until in ((0, START + DAY // 2), (START + DAY // 2, START + 10 * DAY), (0, START - DAY)):
        assert reconciling.roughly(db, 0, since, until) == reconciling.span(db, 0, since, until)
    before = reconciling.span(db, 0, 0, START - DAY)
    assert before.entries == (0, 0) and before.messages[0] == before.messages[1]


async def day_of(hands: Hands, day: int, begun: int = 1 << 60) -> reconciling.Span:
    """What lies in a day, counted from that on which the clocks of the rig begin."""
    since = MIDNIGHT + day * DAY
    return await hands.store.read(lambda db: reconciling.span(db, 0, since, since + DAY, begun))


async def test_what_a_clock_that_was_ahead_wrote_lies_where_it_was_set_right(
    hands: Hands, clock: Clock
) -> None:
    """Whatever the clock did, days lie side by side, each message is of one day, and a day ends where it did
    however much comes later."""
    await hands.say(message(WEIXIN, "w1"))
    clock.set_by(400 * DAY)
    await hands.say(message(WEIXIN, "w2"), message(WEIXIN, "w3"))
    clock.set_by(-400 * DAY)
    await hands.say(message(WEIXIN, "w4"))
    today = await day_of(hands, 0)
    assert today.messages == (1, 5)
    clock.forward(DAY)
    await hands.say(message(WEIXIN, "w5"))
    assert (await day_of(hands, 0)).entries == today.entries
    assert (await day_of(hands, 1)).messages == (5, 6)
    assert (await day_of(hands, 400)).messages == (6, 6)
    clock.forward(DAY)
    await hands.say(message(WEIXIN, "w6"))
    assert (await day_of(hands, 1)).messages == (5, 6)
    assert (await day_of(hands, -1)).entries == (0, 0)


async def test_what_a_clock_that_was_set_back_wrote_is_of_the_next_day(hands: Hands, clock: Clock) -> None:
    """A day that was certified has ended where it was said to: what came with a time before that is compared
    with the day after. A place that lies too far, because somebody forged it, leaves nothing out."""
    await hands.say(message(WEIXIN, "w1"))
    clock.forward(DAY)
    ended = (await day_of(hands, 0)).entries[1]
    clock.set_by(-DAY // 2)
    await hands.say(message(WEIXIN, "w2"))
    clock.forward(DAY)
    await hands.say(message(WEIXIN, "w3"))
    assert (await day_of(hands, 1)).messages == (3, 4)
    assert (await day_of(hands, 1, ended)).messages == (2, 4)
    assert (await day_of(hands, 1, 1 << 40)).messages == (3, 4)


async def test_a_time_that_is_none_ends_no_day(hands: Hands, clock: Clock) -> None:
    """Whoever writes over an entry, or makes a text of it, moves no day: the ledger's own look names him."""
    await hands.say(message(WEIXIN, "w1"))
    clock.forward(DAY)
    await hands.say(message(WEIXIN, "w2"))
    before = await day_of(hands, 0)
    spoil = "UPDATE ledger SET entry = {} WHERE seq = " + str(before.entries[1])
    for value in (b"", b'{"at":7', b'{"at":x,', b"\x00"):
        set_to = s.ledger.update().where(s.ledger.c.seq == before.entries[1]).values(entry=value)
        await hands.store.write(lambda tx, change=set_to: tx.db.execute(change) and None)
        assert await day_of(hands, 0) == before
    if (await hands.store.read(lambda db: db.dialect.name)) == "sqlite":
        await hands.store.write(lambda tx: tx.db.exec_driver_sql(spoil.format("'text'")) and None)
        assert await day_of(hands, 0) == before


async def test_times_of_other_days_are_told(hands: Hands, clock: Clock) -> None:
    """Whose entries have the time of another day, somebody has to know: what the networks have of it was
    compared with another certificate, or with none."""
    await hands.say(message(WEIXIN, "w1"))
    clock.set_by(3 * DAY)
    await hands.say(message(WEIXIN, "w2"))
    clock.set_by(-3 * DAY)
    await hands.say(message(WEIXIN, "w3"))
    found = await found_on(hands, 0)
    (alert,) = [one for one in found.alerts if "the clock was set" in one]
    assert alert.startswith(f"{len(found.lists['ledger of other times archived'])} entries have the time of")
    assert found.written == (clock.now(), clock.now() + 3 * DAY)


async def found_on(hands: Hands, day: int) -> reconciling.Findings:
    """What the reconciliation of a day finds."""
    chosen = await day_of(hands, day)
    return await hands.store.read(lambda db: reconciling.reconcile(db, chosen))


async def test_an_archive_outside_that_has_nothing_is_told_every_day(hands: Hands, clock: Clock) -> None:
    """What it lacks of earlier days, and what it refused, is named by archive until it has it, or until two
    people have let it go."""
    await hands.archive(message(SYMPHONY, 1, "first"))
    await ruled(hands, VAULT, JOURNAL, after=True)
    assert (await found_on(hands, 0)).alerts == []
    clock.forward(DAY)
    lacking = [f"1 copies of earlier days are not in {one} yet" for one in (JOURNAL, VAULT)]
    assert _of_copies(await found_on(hands, 1)) == lacking
    (copy,) = await due(hands, VAULT)
    await hands.store.write(lambda tx: copies.park(tx, VAULT, copy, "too-large"))
    await take(hands, JOURNAL)
    clock.forward(DAY)
    found = await found_on(hands, 2)
    assert found.lists[f"left over {VAULT} failed"] == ["message/1"]
    assert _of_copies(found) == [f"1 copies were refused by {VAULT}, and nobody has decided"]
    await propose(hands, VAULT)
    await grant(hands, VAULT)
    assert (await found_on(hands, 2)).lists[f"left over {VAULT} failed"] == []


def _of_copies(found: reconciling.Findings) -> list[str]:
    """What is told of archives outside, without the names of messages."""
    return [one.partition(":")[0] for one in found.alerts if "copies" in one]


async def test_what_did_not_arrive_is_told_until_somebody_decides(hands: Hands, clock: Clock) -> None:
    """A delivery that was refused stands in every certificate; one that a person dropped stands in none."""
    await hands.say(message(WEIXIN, "w1"))
    (claim,) = await hands.claim(SYMPHONY)
    await hands.end(claim, Step.PARK, reason="refused")
    name = f"delivery/{claim.permit.id}"
    for day in range(2):
        assert (await found_on(hands, day)).lists["outbox left over failed"] == [name]
        assert any("nobody has decided" in one for one in (await found_on(hands, day)).alerts)
        clock.forward(DAY)
    await hands.store.drop_delivery(claim.permit.id, "bob.li@bank.example", "by telephone")
    assert (await found_on(hands, 2)).alerts == []


async def test_a_delivery_that_went_out_on_a_later_day_and_is_gone_is_missing(
    hands: Hands, clock: Clock
) -> None:
    """Each step that the ledger has of a delivery needs its row, also where it was permitted on the day
    before; it is named once on that day."""
    await hands.say(message(WEIXIN, "w1"))
    (claim,) = await hands.claim(SYMPHONY)
    clock.forward(DAY)
    await hands.end(claim, Step.PARK, reason="refused")
    await hands.store.retry_delivery(claim.permit.id, "bob.li@bank.example", "again")
    (claim,) = await hands.claim(SYMPHONY)
    await hands.end(claim)
    assert (await found_on(hands, 1)).faults == []
    for table in (s.receipts, s.deliveries):
        await hands.store.write(lambda tx, gone=table: tx.db.execute(delete(gone)) and None)
    faults = [one[:3] for one in (await found_on(hands, 1)).faults if one.what is What.MISSING]
    assert faults == [(Stage.OUTBOX, What.MISSING, f"delivery/{claim.permit.id}")]


async def test_what_a_clock_that_was_ahead_sent_is_not_asked_for_when_its_time_comes(
    hands: Hands, clock: Clock
) -> None:
    """A network shows it when it was sent: 400 days later it is no difference. What was sent on the day
    itself and is not there, is."""
    await hands.say(message(WEIXIN, "w1"), message(WEIXIN, "w2"))
    first, second = await hands.claim(SYMPHONY)
    await hands.end(first)
    clock.set_by(400 * DAY)
    await hands.end(second)
    clock.set_by(-400 * DAY)
    await hands.say(message(WEIXIN, "w3"))

    async def unseen(day: int) -> list[str]:
        chosen = await day_of(hands, day)
        asked = reconciling.recount(chosen, SYMPHONY, 10)
        found = await hands.store.read(lambda db: reconciling.unseen_deliveries(db, chosen, asked))
        return [one.name for one in found]

    assert await unseen(0) == [f"delivery/{first.permit.id}"]
    assert await unseen(400) == []


def test_each_day_alone_is_complete(db: Connection) -> None:
    """What a later day did to an earlier one's messages is no fault of either."""
    for since, until in ((0, START + DAY // 2), (START + DAY // 2, START + 10 * DAY)):
        day = reconciling.span(db, 0, since, until)
        assert reconciling.reconcile(db, day).faults == []


def test_what_waits_is_listed(db: Connection) -> None:
    """Behind every count there is the list of what it counts."""
    found = reconciling.reconcile(db, reconciling.span(db, 0, 0, 1 << 61))
    assert found.counts["archive", "judgement"]["unprocessed"] == 2
    assert found.lists["archive judgement unprocessed"] == ["message/59", "message/60"]
    for (kind, name), counts in found.counts.items():
        for count in ("failed", "unprocessed", "excluded"):
            assert counts[count] == len(found.lists[f"{kind} {name} {count}"])


@pytest.mark.parametrize("state", ["noted", "recalled", "passed"])
def test_what_nobody_judged_waits_whatever_its_row_says(db: Connection, state: str) -> None:
    """Whether a message was judged is for the ledger to say: no row takes one out of what has to come."""
    db.exec_driver_sql(f"UPDATE messages SET state = '{state}' WHERE id = 59")
    found = reconciling.reconcile(db, reconciling.span(db, 0, 0, 1 << 61))
    assert found.lists["archive judgement unprocessed"] == ["message/59", "message/60"]
    assert [one[:3] for one in found.faults] == [(Stage.VERDICT, What.ALTERED, "message/59")]


def test_what_an_earlier_day_left_over_is_named_every_day(db: Connection) -> None:
    """What was never judged, and what never went out, does not vanish with the day on which it came."""
    never = "UPDATE deliveries SET state = 'ready', next_at = 1 << 60 WHERE id = 1"
    db.exec_driver_sql(never)
    found = reconciling.reconcile(db, reconciling.span(db, 0, START + 20 * DAY, 1 << 61))
    assert found.lists["archive left over unprocessed"] == ["message/59", "message/60"]
    assert any(one.startswith("delivery/") for one in found.lists["outbox left over unprocessed"])


def test_what_came_long_after_it_was_sent_is_listed(db: Connection) -> None:
    """History of then is not asked any more: what is said to be of then is looked at by somebody."""
    found = reconciling.reconcile(db, reconciling.span(db, 0, 0, 1 << 61))
    assert found.lists["archive late archived"] == ["message/56"]
    said = "1 messages came a day or more after they were sent: message/56, `--list 'archive late archived'`"
    assert found.alerts[0] == said


def test_a_surplus_that_could_not_be_asked_for_is_none(db: Connection) -> None:
    """Weixin keeps three days: what is older is said to be unasked, and not called surplus."""
    day = reconciling.span(db, 0, 0, 1 << 61)
    asked = reconciling.recount(day, WEIXIN, 10)
    assert reconciling.surplus(db, day, asked, ())
    assert not reconciling.surplus(db, day, asked, [("wkWealth", 0, 1 << 61)])


def test_what_does_not_open_is_not_called_altered_at_the_source(db: Connection) -> None:
    """Where the words are gone there is nothing to compare: the archive's own stage says what is missing."""
    db.execute(delete(s.data_keys))
    known, _ = reconciling.look_up(db, WEIXIN, [Sighting(WEIXIN, "", "w2", 0, "d")])
    assert [one.digest for one in known.values()] == [""]


async def test_a_copy_that_was_not_read_back_is_a_fault_of_that_day(tmp_path: Path) -> None:
    """What the daily look into archives found gone or changed stands in the certificate by its name."""
    copy_of_the_story(tmp_path)
    store = opened(tmp_path, Clock())
    facts = {"message": 2, "destination": "cards/vault", "revision": 1}
    for why in ("gone", "changed"):
        said = facts | {"reason": why}
        await store.write(lambda tx, said=said: tx.append(0, "copy:lost", "message/2", said))

    def look(db: Connection) -> list[tuple]:
        return [one[:3] for one in reconciling.reconcile(db, reconciling.span(db, 0, 0, 1 << 61)).faults]

    name = "copy cards/vault of message/2"
    assert await store.read(look) == [(Stage.SINK, What.MISSING, name), (Stage.SINK, What.ALTERED, name)]
    store.close()


async def test_what_was_disposed_of_is_not_missing(tmp_path: Path) -> None:
    """Neither what was said, nor attachments, nor what networks gave us for it: days of then are certified
    again, and somebody else's losses are named."""
    old = firm(tmp_path)
    await old.dispose()

    def look(db: Connection) -> reconciling.Findings:
        return reconciling.reconcile(db, reconciling.span(db, 0, 0, 1 << 61), old.folder / "blobs")

    assert (await old.store.read(look)).faults == []
    await old.store.write(lambda tx: tx.db.execute(delete(s.receipts)) and None)
    lost = {one.name for one in (await old.store.read(look)).faults}
    assert 0 < len(lost) < await old.store.read(lambda db: db.scalar(select(func.count(s.deliveries.c.id))))
    old.store.close()


async def test_who_came_later_is_not_told_of_what_was_said_before(hands: Hands, clock: Clock) -> None:
    """The first that the archive has of a room is the note that somebody joined it: what is older is not
    missing, what is younger is. A room that begins with words has no such mercy."""
    joined = message(SYMPHONY, "n", conversation="late", sent_at=1000, kind=Kind.NOTE)
    spoken = message(SYMPHONY, "s", conversation="lost", sent_at=1000)
    await hands.say(joined, spoken)
    asked = [
        Sighting(SYMPHONY, chat, f"{chat}{at}", at, "d") for chat in ("late", "lost") for at in (999, 1001)
    ]
    known, _ = await hands.store.read(lambda db: reconciling.look_up(db, SYMPHONY, asked))
    assert {name: one.number for name, one in known.items()} == {"late999": 0}


async def test_both_engines_are_reconciled_alike(hands: Hands) -> None:
    """What passed, what is held, what was sent: complete on either engine, and one lost row is named."""
    await hands.say(message(WEIXIN, "w1"), message(WEIXIN, "w2", text="HOLD"), message(SYMPHONY, "s1"))
    await hands.send(SYMPHONY)
    shown = [sighting(message(WEIXIN, "w1")), Sighting(WEIXIN, "c", "w9", 5, "d")]

    def look(db: Connection) -> tuple[list, list]:
        day = reconciling.span(db, 0, 0, 1 << 61)
        asked = reconciling.recount(day, WEIXIN, 10)
        faults = list(asked.compare(shown, *reconciling.look_up(db, WEIXIN, shown)))
        found = reconciling.surplus(db, day, asked, ()) + reconciling.unseen_deliveries(db, day, asked)
        return reconciling.reconcile(db, day).faults, [one.name for one in [*faults, *found]]

    assert await hands.store.read(look) == ([], ["weixin/w9", "weixin/w2"])
    await hands.store.write(lambda tx: tx.db.execute(delete(s.receipts)) and None)
    ((fault,), _) = await hands.store.read(look)
    assert (fault.stage, fault.what) == (Stage.OUTBOX, What.ALTERED)


async def test_what_was_taken_back_or_said_anew_need_not_be_shown(hands: Hands) -> None:
    """Of several messages of a conversation: only what stands there still is missing at the network."""
    await hands.say(message(WEIXIN, "w1"), message(WEIXIN, "w2"), message(WEIXIN, "w3"))
    await hands.say(message(WEIXIN, "w4", "anew", replaces="w1"))
    await hands.say(message(WEIXIN, "w5", "", kind=Kind.RECALL, refers_to="w3"))

    def look(db: Connection) -> list[str]:
        day = reconciling.span(db, 0, 0, 1 << 61)
        asked = reconciling.recount(day, WEIXIN, 10)
        return [one.name for one in reconciling.surplus(db, day, asked, ())]

    assert await hands.store.read(look) == ["weixin/w2", "weixin/w4"]


async def test_what_was_said_while_the_bridge_was_away_is_excluded(hands: Hands) -> None:
    """It was removed from a room and added again: what was said between is nothing that it could have. What
    was said before and after is missing; and so is all of it while nobody says that it is back."""
    told = ((f"{WENT}userleftroom-1", 1000), ("userjoinedroom-1", 2000))
    went, came = (message(SYMPHONY, id, "", kind=Kind.NOTE, sent_at=at) for id, at in told)
    await hands.say(message(SYMPHONY, "s1", sent_at=100), went)
    room = went.conversation
    shown = [Sighting(SYMPHONY, room, f"at {at}", at) for at in (999, 1500, 2000)]

    async def missing() -> list[str]:
        known, permits = await hands.store.read(lambda db: reconciling.look_up(db, SYMPHONY, shown))
        asked = Recount(SYMPHONY, (1, 9), (1, 9))
        return [one.name for one in asked.compare(shown, known, permits)]

    assert len(await missing()) == 3
    await hands.say(came)
    assert await missing() == ["symphony/at 999", "symphony/at 2000"]
