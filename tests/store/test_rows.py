"""What the store's parts share: literals for partial indexes, permits' ids, states that move by the table.

The plans of the rooms' hot statements are looked at here too: none may walk through a table that grows.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rig import FILES_ONLY, Clock, Hands, message, statements_of
from sqlalchemy import Index, select
from sqlalchemy.dialects import postgresql, sqlite

from bridge.errors import Conflict
from bridge.flow import OPEN, MessageState
from bridge.message import SYMPHONY, WEIXIN, File, Kind
from bridge.ports import Step
from bridge.store import rows
from bridge.store import schema as s
from bridge.store.rows import FAR, is_open, permit_id, states_in
from bridge.store.sending import anything_due
from bridge.store.writer import Tx

GROWING = {"messages", "verdicts", "deliveries", "files", "content", "ledger", "heads", "receipts", "reviews"}
ALIASES = {"earlier", "message_content", "verdict_content"}


# --- literals -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dialect", [sqlite, postgresql])
@pytest.mark.parametrize(
    ("states", "sql"),
    [
        (("new",), "messages.state = 'new'"),
        (("parked", "failed"), "messages.state IN ('parked', 'failed')"),
    ],
)
def test_states_stand_in_the_statement(dialect: Any, states: tuple[str, ...], sql: str) -> None:
    """States are literals and no parameters: only so does a partial index apply."""
    compiled = states_in(s.messages.c.state, *states).compile(dialect=dialect.dialect())  # type: ignore
    assert str(compiled) == sql
    assert not compiled.params


def test_open_is_what_the_index_calls_open() -> None:
    """The condition has the very words of the index."""
    compiled = str(is_open(s.deliveries).compile(dialect=sqlite.dialect()))  # type: ignore[attr-defined]
    (index,) = (one for one in s.deliveries.indexes if one.name == "ix_deliveries_open")
    where = str(index.dialect_options["sqlite"]["where"])
    assert compiled.replace("deliveries.state", "state") == where
    assert re.findall(r"'(\w+)'", where) == [state.value for state in OPEN]


# --- permits' ids ---------------------------------------------------------------------------------------

TIMES = st.integers(0, 2_840_000_000_000)  # until the year 2059; then twenty characters are not enough


def new_permit(now: int) -> str:
    """A permit's id as the store makes one at `now`."""
    return permit_id(now, os.urandom(8))


@given(TIMES)
def test_a_permits_id_has_its_form(now: int) -> None:
    """20 characters of [0-9a-z], which every network takes as an idempotency key."""
    assert re.fullmatch("[0-9a-z]{20}", new_permit(now))


@given(TIMES, TIMES)
def test_permits_are_sorted_by_time(one: int, other: int) -> None:
    """The later permit has the greater id, to the millisecond: indexes grow at their end."""
    for later in (other, one + 1):
        if one != later:
            assert (new_permit(one) < new_permit(later)) == (one < later)


def test_permits_of_one_moment_differ() -> None:
    """Two permits of the same millisecond share their time and nothing else."""
    ids = {new_permit(1_767_600_000_000) for _ in range(5000)}
    assert len(ids) == 5000
    assert len({one[:7] for one in ids}) == 1
    assert len({one[-10:] for one in ids}) == 5000


# --- states ---------------------------------------------------------------------------------------------


async def test_a_message_moves_from_where_it_is(hands: Hands) -> None:
    """A step from a state in which the message is not (any more) is a Conflict and changes nothing."""
    await hands.say(message(WEIXIN, 1, "HOLD"))
    number = 1

    def release(tx: Tx) -> None:
        rows.set_message(tx, number, MessageState.HELD, "release")

    await hands.store.write(release)
    assert (await hands.states("messages"))[number] == "released"
    with pytest.raises(Conflict, match=f"message {number} is no longer held"):
        await hands.store.write(release)
    with pytest.raises(Conflict, match="cannot release what is new"):
        await hands.store.write(lambda tx: rows.set_message(tx, number, MessageState.NEW, "release"))
    assert (await hands.states("messages"))[number] == "released"


async def test_a_review_ends_once(hands: Hands) -> None:
    """The second of two reviewers learns that the first was faster."""
    await hands.say(message(WEIXIN, 1, "HOLD"))
    await hands.store.write(lambda tx: rows.close_review(tx, 1, "released", 99))
    with pytest.raises(Conflict, match="message 1 is not waiting for review"):
        await hands.store.write(lambda tx: rows.close_review(tx, 1, "rejected", 100))
    found = await hands.rows("SELECT state, entry FROM reviews WHERE message = 1")
    assert found == [("released", 99)]


async def test_a_delivery_moves_by_the_table(hands: Hands, clock: Clock) -> None:
    """What is ready can be dropped and not failed; its chat is looked at again at once."""
    await hands.say(message(WEIXIN, 1))
    ((permit,),) = await hands.rows("SELECT permit FROM deliveries")
    with pytest.raises(Conflict, match=f"delivery {permit} does not exist, or is not sent"):
        await hands.store.write(lambda tx: rows.set_delivery(tx, permit, "fail"))
    clock.forward(500)
    await hands.store.write(lambda tx: rows.set_delivery(tx, permit, "drop", reason="why"))
    assert await hands.rows("SELECT state, reason FROM deliveries") == [("dropped", "why")]
    with pytest.raises(Conflict):
        await hands.store.write(lambda tx: rows.set_delivery(tx, "1" * 20, "drop"))


async def test_a_chat_is_planned_for_the_earliest_time(hands: Hands) -> None:
    """A plan can be brought forward and not put off."""
    chat = [(WEIXIN, "a chat")]
    for at in (500, 300, 900, FAR):
        await hands.store.write(lambda tx, at=at: rows.plan_chats(tx, 0, chat, at))
    assert await hands.rows("SELECT due_at FROM chats WHERE conversation = 'a chat'") == [(300,)]


async def test_a_message_is_found_by_any_of_its_names(hands: Hands) -> None:
    """A recall or a reply names what came from there, or what we sent there; an empty name is nobody's."""
    await hands.say(message(WEIXIN, "their-id"))
    (claim,) = await hands.claim(SYMPHONY)
    await hands.end(claim)
    (name,) = (row[0] for row in await hands.rows("SELECT id FROM receipts"))

    async def find(network: str, source: str) -> int | None:
        return await hands.store.read(lambda db: rows.find_message(db, network, source))

    assert await find(WEIXIN, "their-id") == await find(SYMPHONY, name) == 1
    assert [await find(SYMPHONY, "their-id"), await find(WEIXIN, name), await find(WEIXIN, "")] == [None] * 3


# --- plans ----------------------------------------------------------------------------------------------


async def plans_of(hands: Hands, work: Callable[[], Any]) -> dict[str, list[str]]:
    """How the database goes about every statement that `work` runs: its steps, by statement."""
    with statements_of(hands.store.engine) as ran:
        await work()
    seen = {
        sql: with_ for sql, with_ in ran.items() if sql.lstrip().startswith(("SELECT", "UPDATE", "INSERT"))
    }
    return await hands.store.read(lambda db: {sql: _steps(db, sql, seen[sql]) for sql in seen})


def _steps(db: Any, sql: str, parameters: Any) -> list[str]:
    """The steps of one statement, in SQLite's words."""
    if db.dialect.name == "sqlite":
        return [row[3] for row in db.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", parameters)]
    # A table of ten rows is read from end to end by any planner, unless it is told not to if it can help it.
    db.exec_driver_sql("SET LOCAL enable_seqscan = off")
    lines = [row[0] for row in db.exec_driver_sql(f"EXPLAIN (COSTS OFF) {sql}", parameters)]
    return [step for line in lines if (step := _in_other_words(line))]


def _in_other_words(line: str) -> str:
    """A line of PostgreSQL's plan as SQLite would put it; "" when it is about no table."""
    if found := re.search(r"Seq Scan on (\w+)(?: (\w+))?", line):
        return f"SCAN {found[2] or found[1]}"
    if found := re.search(r"Index (?:Only )?Scan (?:Backward )?using (\w+) on (\w+)(?: (\w+))?", line):
        return f"SEARCH {(found[3] or found[2]).removesuffix('_1')} USING INDEX {found[1]}"
    if found := re.search(r"Bitmap Index Scan on (\w+)", line):
        return f"SEARCH {'earlier' if 'fetching' in line else found[1].split('_')[1]} USING INDEX {found[1]}"
    return ""


def partial(index: Index) -> bool:
    """Whether an index is over few of its table's rows."""
    return index.dialect_options["sqlite"]["where"] is not None


async def a_days_work(hands: Hands) -> None:
    """Everything that the three rooms do to the tables, at least once."""
    store = hands.store
    file = File("ref", "a.txt")
    await hands.archive(message(WEIXIN, 1), message(WEIXIN, 2, files=(file,), kind=Kind.FILE))
    (wanted,) = await store.wanted_files(WEIXIN, 10)
    await store.postpone_file(wanted, hands.clock.now())
    await store.settle_file(wanted, None, "gone")
    await hands.judge()
    await hands.say(message(WEIXIN, 3, "HOLD"), message(WEIXIN, 4), message(WEIXIN, 5, "again", replaces="1"))
    claims = await hands.claim(SYMPHONY)
    await hands.end(claims[0])
    await hands.end(claims[1], Step.WAIT, reason="window", notice="window")
    await hands.send(WEIXIN)
    await hands.say(message(SYMPHONY, 6, refers_to=f"id-of-{claims[0].permit.id}", quote="hello"))
    await hands.say(message(WEIXIN, 7, kind=Kind.RECALL, refers_to="3"))
    failed = message(SYMPHONY, 8, kind=Kind.FAILED, refers_to=f"id-of-{claims[0].permit.id}")
    await hands.say(failed)
    await hands.send(SYMPHONY)
    await store.read(lambda db: anything_due(db, SYMPHONY, 0, hands.clock.now()))


async def test_no_room_walks_through_a_table_that_grows(hands: Hands) -> None:
    """Every statement of the rooms finds its rows by an index, however long the history is."""
    plans = await plans_of(hands, lambda: a_days_work(hands))
    assert len(plans) > 30
    few = "|".join(
        str(one.name) for table in s.metadata.tables.values() for one in table.indexes if partial(one)
    )
    walk = re.compile(rf"SCAN ({'|'.join(GROWING | ALIASES)})\b(?! USING (COVERING )?INDEX ({few})\b)")
    walks = {(step, sql) for sql, steps in plans.items() for step in steps if walk.match(step)}
    assert not walks, walks


@pytest.mark.parametrize(
    ("index", "table"),
    [
        ("ix_messages_new", "messages"),
        ("ix_messages_fetching", "earlier"),
        ("ix_messages_failed", "messages"),
        ("ix_files_wanted", "files"),
        ("ix_deliveries_open", "deliveries"),
        ("ix_reviews_open", "reviews"),
        ("ix_chats_due", "chats"),
    ],
)
async def test_partial_indexes_are_used(hands: Hands, index: str, table: str) -> None:
    """Each index over the few open rows is what the rooms' statements go by."""
    plans = await plans_of(hands, lambda: a_days_work(hands))
    steps = {step for steps in plans.values() for step in steps}
    assert any(re.match(rf"(SEARCH|SCAN) {table} USING (COVERING )?INDEX {index}\b", one) for one in steps), (
        steps
    )


@FILES_ONLY
async def test_a_parameter_would_not_use_the_index(hands: Hands) -> None:
    """Why states are literals: the same question with a parameter walks through the whole table."""

    async def ask() -> None:
        good = select(s.deliveries.c.id).where(states_in(s.deliveries.c.state, "parked", "failed"))
        bad = select(s.deliveries.c.id).where(s.deliveries.c.state.in_(["parked", "failed"]))
        await hands.store.read(lambda db: [db.execute(query).all() for query in (good, bad)])

    literal, parameter = (await plans_of(hands, ask)).values()
    assert "ix_deliveries_stuck" in literal[0]
    assert parameter[0] == "SCAN deliveries"


def test_chunks_have_everything_once_in_order() -> None:
    """Whole ones, and the rest; of nothing there is none."""
    assert list(rows.chunks(iter(range(7)), 3)) == [[0, 1, 2], [3, 4, 5], [6]]
    assert list(rows.chunks((), 3)) == []
