"""What lies in a span of time, and what of it was disposed of; single faults: `tests/tamper`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from rig import Clock, Hands, message, opened
from sqlalchemy import Connection, delete
from story import START, copy_of_the_story

from bridge.keepers import KeyFile
from bridge.message import SYMPHONY, WEIXIN, Kind, Sighting, sighting
from bridge.ports import WENT
from bridge.records.reconcile import Recount, Stage, What
from bridge.store import reconciling
from bridge.store import schema as s
from bridge.store.database import open_engine

DAY = 86_400_000


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
    before = reconciling.span(db, 0, 0, START - DAY)
    assert before.entries == (0, 0) and before.messages[0] == before.messages[1]


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
    assert found.alerts == [said]


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
