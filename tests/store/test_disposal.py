"""Disposal: two people have to agree, whatever keeps a record by then wins, a killed run goes on."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from disposals import DAY, FIRST, LONG, PLANNER, SECOND, SHORT, Firm, firm, reopened
from sqlalchemy import Connection
from story import Story, held, passed

from bridge.errors import Conflict, Damaged, Missing, NotAllowed
from bridge.message import Retention
from bridge.ports import Placing, Ruling
from bridge.records.disposal import GOOD_FOR, State, digest_of
from bridge.store import destruction, disposal, holds, terms
from bridge.store.disposal import Standing
from bridge.store.looks import Looker, Search, record_search
from bridge.store.proving import acts_about


@pytest.fixture
async def old(tmp_path: Path) -> AsyncIterator[Firm]:
    """A firm a half of whose records is due."""
    one = firm(tmp_path)
    yield one
    one.store.close()


async def plan_of(old: Firm, number: int) -> disposal.Plan:
    """A plan as it stands."""
    return await old.store.read(lambda db: disposal.disposal(db, number))


async def hold(old: Firm, query: str) -> None:
    """Somebody places a legal hold."""
    placing = Placing("CASE-7", query, query, SECOND, "a letter")
    await old.store.write(lambda tx: holds.place(tx, 0, placing))


async def test_a_plan_counts_what_goes_and_what_stays(old: Firm) -> None:
    """By class, pair, month, and by the sort of reason that keeps the rest. Its list is fixed by digest."""
    number = await old.plan()
    one = await plan_of(old, number)
    assert (one.records, one.state, one.person) == (22, State.PLANNED, PLANNER)
    assert one.counts.classes == {"cards/short": 22}
    assert one.counts.pairs == {1: 22}
    assert one.counts.months == {"2026-09": 22}
    assert one.counts.kept == {"retention": 20}
    rows = await old.store.read(lambda db: disposal.listed(db, number))
    assert digest_of((row["message"], row["class"], row["until"]) for row in rows) == one.digest
    stays = await old.store.read(
        lambda db: [*disposal.kept(db, disposal.candidates(db, one.before), one.before, "retention")]
    )
    assert len(stays) == 20
    assert {row["message"] for row in stays}.isdisjoint(row["message"] for row in rows)


async def test_one_approver_is_refused(old: Firm) -> None:
    """One person's yes, the planner's own, and the same person twice destroy nothing."""
    number = await old.plan()
    for people in ((), (FIRST,)):
        await old.approve(number, *people) if people else None
        with pytest.raises(NotAllowed, match="nothing is destroyed"):
            await old.steps(number)
    for person, why in ((PLANNER.upper(), "two others do"), (FIRST, "another person")):
        with pytest.raises(NotAllowed, match=why):
            await old.approve(number, person)
    await old.approve(number, SECOND)
    assert await old.steps(number) == 22


async def test_a_hold_placed_one_moment_before_wins(old: Firm) -> None:
    """Standings are asked again in the transaction that destroys: what is held by then stays."""
    number = await old.plan()
    await old.approve(number)
    await hold(old, "matter")
    assert await old.steps(number) == 2
    await old.finish(number)
    one = await plan_of(old, number)
    assert one.certified is not None
    assert (one.certified["records"], one.certified["messages"], one.certified["kept"]) == (2, 4, 20)
    assert one.certified["reasons"] == {"hold CASE-7": 20}
    assert await old.findings() == []


async def test_what_is_held_retained_or_not_in_its_archives_is_not_planned(old: Firm) -> None:
    """Each is counted with its reason, and is on no list."""
    await hold(old, "matter")

    def asks(db: object, numbers: list[int], now: int) -> list[Standing]:
        return [
            replace(one, kept=(*one.kept, *(["not yet in vault"] * (one.number == 41))))
            for one in disposal.ask(db, numbers, now)
        ]

    number = await old.plan(asks=asks)
    one = await plan_of(old, number)
    assert one.records == 1
    assert one.counts.kept == {"hold CASE-7": 40, "not yet in vault": 1, "retention": 20}


async def test_a_plan_is_good_for_thirty_days(old: Firm) -> None:
    """Then it can be neither approved nor begun; and a withdrawn one neither."""
    number = await old.plan()
    await old.approve(number, FIRST)
    old.story.clock.at += GOOD_FOR
    with pytest.raises(Conflict, match="plan it again"):
        await old.approve(number, SECOND)
    await old.store.write(lambda tx: disposal.withdraw(tx, 0, number, FIRST, "stale"))
    with pytest.raises(Conflict, match="withdrawn"):
        await old.steps(number)
    assert await old.findings() == []
    with pytest.raises(Missing):
        await plan_of(old, 9)


async def test_a_run_that_begins_again_changes_nothing_more(old: Firm) -> None:
    """Whoever runs a plan a second time destroys nothing, and the certificate stays the one there was."""
    number = await old.dispose()
    before = await plan_of(old, number)
    await old.finish(number)
    assert await plan_of(old, number) == before
    with pytest.raises(Conflict, match="done"):
        await old.steps(number)
    assert (await plan_of(old, await old.plan())).records == 0


class Killed(BaseException):
    """A process is gone."""


async def test_a_run_killed_anywhere_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed before or after any commit, before files, index or certificate: the record verifies without a
    finding that is not a file still to be removed, and the next run comes to the same end."""
    monkeypatch.setattr(disposal, "BATCH", 8)
    ends = set()
    for fatal in range(1, 8):
        folder = tmp_path / str(fatal)
        await _killed(folder, fatal, monkeypatch)
        old = reopened(folder)
        assert {one.table for one in await old.findings()} <= {"blobs"}
        await _carry_out(old, 1)
        one = await plan_of(old, 1)
        assert one.certified is not None
        ends.add((one.certified["records"], one.certified["sha256"]))
        assert await old.findings() == []
        old.store.close()
    assert len(ends) == 1


async def _killed(folder: Path, fatal: int, monkeypatch: pytest.MonkeyPatch) -> None:
    old = firm(folder)
    number = await old.plan()
    await old.approve(number)
    steps = 0

    def counted(*_: object, **__: object) -> None:
        nonlocal steps
        steps += 1
        if steps == fatal:
            raise Killed

    with monkeypatch.context() as patch:
        _before(patch, disposal, "proceed", counted)
        _before(patch, destruction, "remove_files", counted)
        _before(patch, destruction, "forget", counted)
        _before(patch, disposal, "certify", counted)
        with contextlib.suppress(Killed):
            await _carry_out(old, number)
    old.store.engine.dispose()


def _before(patch: pytest.MonkeyPatch, module: object, name: str, first: object) -> None:
    real = getattr(module, name)

    def doomed(*given: object, **named: object) -> object:
        first()
        return real(*given, **named)

    patch.setattr(module, name, doomed)


async def _carry_out(old: Firm, number: int) -> None:
    if (await plan_of(old, number)).state is not State.DONE:
        await old.steps(number)
        await old.finish(number)


async def test_the_canary_is_refused_and_leaves_only_its_entry(old: Firm) -> None:
    """A record that has to be kept is offered to the engine by the door that a run takes: it refuses."""
    trial = await old.store.write(lambda tx: disposal.try_canary(tx, 0))
    assert trial.refused
    assert trial.message == 40
    assert trial.reasons[0].startswith("retention until 2033-09-")
    assert [one.partition("canary-")[0] for one in trial.reasons[1:]] == ["not yet in ", "hold "]
    assert await old.store.read(disposal.last_trial) == trial
    assert await old.store.read(disposal.disposals) == []
    assert await old.findings() == []


async def test_an_engine_that_would_destroy_what_must_stay_is_told(old: Firm) -> None:
    """If nothing refused, all is undone, and the ledger says that it failed."""

    def careless(db: object, numbers: list[int], now: int) -> list[Standing]:
        return [Standing(one, now, "none", terms.Last(one, now, "none"), ()) for one in numbers]

    trial = await old.store.write(lambda tx: disposal.try_canary(tx, 0, asks=careless))
    assert not trial.refused
    assert await old.store.read(lambda db: db.exec_driver_sql("SELECT * FROM disposed").all()) == []
    last = await old.store.read(disposal.last_trial)
    assert last is not None
    assert not last.refused
    assert await old.findings() == []


@pytest.mark.parametrize("blind", ["retention", "hold", "not yet in"])
async def test_the_canary_tells_an_engine_that_is_blind_to_one_reason(old: Firm, blind: str) -> None:
    """The term, holds and archives are each tried for themselves: two of them do not hide the third."""

    def asks(db: Connection, numbers: Sequence[int], now: int) -> Sequence[Standing]:
        found = disposal.ask(db, numbers, now)
        return [
            replace(one, kept=tuple(why for why in one.kept if not why.startswith(blind))) for one in found
        ]

    trial = await old.store.write(lambda tx: disposal.try_canary(tx, 0, asks=asks))
    assert not trial.refused
    assert await old.store.read(lambda db: holds.standing(db)) == []
    assert await old.findings() == []


async def test_where_no_term_runs_the_canary_is_tried_all_the_same(old: Firm, tmp_path: Path) -> None:
    """By a hold and an archive; an archive without any record says that nothing was tried, and not that all
    is well."""
    old.story.clock.at += 8 * 366 * DAY
    trial = await old.store.write(lambda tx: disposal.try_canary(tx, 0))
    assert (trial.refused, len(trial.reasons)) == (True, 2)
    assert await old.store.read(disposal.last_trial) == trial
    (tmp_path / "empty").mkdir()
    empty = Story(tmp_path / "empty")
    assert await disposal.trial(empty.store) == {"disposal": "untried: there is no record"}
    assert await empty.store.read(disposal.last_trial) is None
    empty.store.close()


async def test_a_term_shortened_by_hand_does_not_deceive_the_engine(old: Firm) -> None:
    """The row is held against the entry that testifies to it."""
    with closing(sqlite3.connect(old.folder / "weighbridge.db", isolation_level=None)) as db:
        db.execute(f"UPDATE terms SET until = {old.story.clock.at - DAY}")
    one = await plan_of(old, await old.plan())
    assert (one.records, one.counts.kept) == (0, {"its term is not what the ledger says": 42})


async def test_a_term_taken_from_another_record_does_not_deceive_the_engine(old: Firm) -> None:
    """A row that names the entry of another message, and says what that one says, lets nothing go."""
    short = "(SELECT {0} FROM terms WHERE message = 1)"
    values = ", ".join(f"{one} = {short.format(one)}" for one in ("entry", "key", "until"))
    hack(old, f"UPDATE terms SET {values} WHERE message = 3")
    found = await old.store.read(lambda db: disposal.ask(db, [3], old.story.clock.at))
    assert [one.kept for one in found] == [("its term is not what the ledger says",)]


async def test_a_record_is_no_notice_because_a_row_says_so(old: Firm) -> None:
    """Whatever is bundled with another message by hand keeps both."""
    hack(old, "UPDATE messages SET notice_for = 1 WHERE id = 3")
    found = await old.store.read(lambda db: disposal.ask(db, [1, 3], old.story.clock.at))
    for one in found:
        assert "its notices are not what the ledger says" in one.kept
        assert any(reason.startswith("retention until 2033") for reason in one.kept)


ROWS = {
    "UPDATE holds SET state = 'lifted'": holds.ALTERED,
    "DELETE FROM holds": holds.ALTERED,
    "UPDATE meta SET value = '[]' WHERE key = 'policy'": holds.UNREADABLE,
}


@pytest.mark.parametrize("statement", ROWS)
async def test_a_hold_that_somebody_lifts_in_a_table_holds_everything(old: Firm, statement: str) -> None:
    """Whether a hold stands, and which policies are in force, is said by entries."""
    await old.store.activate_policy((("house.yaml", "ab" * 32),), PLANNER, "first")
    await hold(old, "id:1")
    hack(old, statement)
    found = await old.store.read(lambda db: disposal.ask(db, [1, 5], old.story.clock.at))
    assert all(f"hold {ROWS[statement]}" in one.kept for one in found)
    assert await old.store.read(holds.standing) == ["CASE-7"]


async def test_a_plan_stands_where_its_entries_say(old: Firm) -> None:
    """A row makes no plan approved, begun, good again, or planned that was withdrawn."""
    number = await old.plan()
    hack(old, "UPDATE disposals SET state = 'running'")
    with pytest.raises(NotAllowed, match="nothing is destroyed"):
        await old.steps(number)
    await old.approve(number)
    hack(old, "UPDATE disposals SET state = 'planned', expires_at = expires_at * 2")
    old.story.clock.at += GOOD_FOR
    with pytest.raises(Conflict, match="plan it again"):
        await old.steps(number)
    await old.store.write(lambda tx: disposal.withdraw(tx, 0, number, FIRST, "stale"))
    hack(old, "UPDATE disposals SET state = 'planned'")
    with pytest.raises(Conflict, match="withdrawn"):
        await old.steps(number)


async def test_a_list_that_was_changed_is_not_carried_out(old: Firm) -> None:
    """What people approved is the digest of their entry."""
    number = await old.plan()
    await old.approve(number)
    hack(old, "UPDATE disposal_list SET message = 3 WHERE message = 1")
    with pytest.raises(Damaged, match="not what was planned"):
        await old.steps(number)


async def test_who_may_approve_can_be_named(old: Firm) -> None:
    """Then nobody else can, however much his name looks like theirs."""
    number = await old.plan()
    for person in ("carol@bank.example.", "с" + SECOND[1:]):  # a full stop; a Cyrillic letter
        with pytest.raises(NotAllowed, match="approvers"):
            await old.store.write(
                lambda tx, who=person: disposal.approve(tx, 0, number, who, "seen", (FIRST, SECOND))
            )
    await old.store.write(lambda tx: disposal.approve(tx, 0, number, SECOND, "seen", (FIRST, SECOND)))


async def test_a_clock_that_jumps_makes_nothing_due(old: Firm) -> None:
    """Far ahead of all that was recorded somebody has to vouch for it, and that is recorded; behind it
    nothing is planned, approved or destroyed."""
    number = await old.plan()
    await old.approve(number)
    old.story.clock.at -= DAY
    for act in (old.plan(), old.approve(number, "dave@bank.example"), old.steps(number)):
        with pytest.raises(Conflict, match="set the clock right"):
            await act
    old.story.clock.at += 8 * 366 * DAY
    with pytest.raises(NotAllowed, match="clock-is-right"):
        await old.plan()
    look = Search("search", "zzz", 0)
    await old.store.write(lambda tx: record_search(tx, 0, Looker(PLANNER, "no reason"), look))
    with pytest.raises(NotAllowed, match="no network was heard since 20"):
        await old.plan()  # by now an entry has that time
    wanted, nothing = disposal.Wanted(PLANNER, "all of it"), disposal.Found((), disposal.Counts())
    await old.store.write(lambda tx: disposal.plan(tx, 0, wanted, nothing, sure=True))
    ((entry, _),) = await old.store.read(lambda db: acts_about(db, f"disposal/{number + 1}"))
    assert entry.facts["ahead"] > 8 * 365 * DAY


async def test_an_edit_keeps_what_it_edits(old: Firm) -> None:
    """What was written first, what it became and that it was taken back live as long as the longest of them,
    and a hold over one is over all."""
    await old.store.own("daemon")
    first = old.story.says("the first words")
    second = old.story.says("harmless", replaces=first.id)
    for message, keep in ((first, SHORT), (second, LONG)):
        await old.story.archive(message)
        await judged(old, keep)
        await old.story.deliver()
    (last,) = await old.store.read(lambda db: db.exec_driver_sql("SELECT max(message) FROM terms").one())
    later = old.story.clock.at + 60 * DAY
    for number in (last - 1, last):
        (one,) = await old.store.read(lambda db, n=number: disposal.ask(db, [n], later))
        assert any(reason.startswith("retention until 2033") for reason in one.kept)
    await hold(old, "harmless")
    found = await old.store.read(lambda db: disposal.ask(db, [last - 1, last], later + 9 * 366 * DAY))
    assert [one.kept for one in found] == [("hold CASE-7",)] * 2
    assert await old.findings() == []


async def judged(old: Firm, keep: Retention) -> None:
    """Judge what waits: it passes, and is kept for this long."""
    for one in await old.store.unjudged(100):
        await old.store.record_rulings([Ruling(one, replace(passed(one), retention=(keep,)), "")])


async def test_a_decision_is_not_made_by_a_row(old: Firm) -> None:
    """A message that is held, by its entries, is undecided whatever its row says."""
    await old.store.own("daemon")
    await old.story.archive(old.story.says("card 4111"))
    await old.story.judge(replace(held("card ****", (5, 9)), retention=(SHORT,)))
    hack(old, "UPDATE messages SET state = 'released' WHERE state = 'held'")
    (last,) = await old.store.read(lambda db: db.exec_driver_sql("SELECT max(message) FROM terms").one())
    (one,) = await old.store.read(lambda db: disposal.ask(db, [last], old.story.clock.at + 99 * DAY))
    assert "undecided" in one.kept


def hack(old: Firm, statement: str) -> None:
    """Change the database behind the store's back."""
    with closing(sqlite3.connect(old.folder / "weighbridge.db", isolation_level=None)) as db:
        db.execute(statement)


async def test_how_a_record_went_is_known(old: Firm) -> None:
    """When, under which class, by which plan, on whose word; nothing of one that is there."""
    number = await old.dispose()
    fate = await old.store.read(lambda db: disposal.fate(db, 1))
    assert fate is not None
    assert (fate["disposal"], fate["class"], fate["planned_by"]) == (number, "cards/short", PLANNER)
    assert fate["approved_by"] == [FIRST, SECOND]
    assert fate["disposed_at"] >= fate["until"]
    assert await old.store.read(lambda db: disposal.fate(db, 3)) is None


async def test_an_altered_entry_is_named_by_whoever_reads_it(old: Firm) -> None:
    """Plans, what they destroyed, the trial, terms: not a traceback, but which entry, and what to run."""
    number = await old.dispose()
    await disposal.trial(old.store)
    with closing(sqlite3.connect(old.folder / "weighbridge.db", isolation_level=None)) as db:
        db.execute("UPDATE ledger SET entry = substr(entry, 2)")
    readers: list[Callable[[Connection], Any]] = [
        lambda db: disposal.fate(db, 1),
        lambda db: list(disposal.destroyed(db, number)),
        lambda db: disposal.disposal(db, number),
        disposal.last_trial,
        lambda db: terms.standings(db, [3], 0, holds.Holds([])),
    ]
    for read in readers:
        with pytest.raises(Damaged, match=r"entry \d+ of lane 0 is not what was recorded: run"):
            await old.store.read(read)


async def test_the_trial_is_one_of_the_days(old: Firm) -> None:
    """What the daily certificate takes up: well, or what would have been destroyed."""
    assert await disposal.trial(old.store) == {"disposal": "well"}
    trials = await old.store.read(disposal.last_trial)
    assert trials is not None
    assert trials.refused


async def test_only_what_was_destroyed_before_is_called_settled(old: Firm) -> None:
    """A plan that is certified while another's files are written anew has its own still to be written."""
    numbers = await old.store.read(disposal.unsettled)
    number = await old.plan()
    await old.approve(number)
    await old.steps(number)
    await old.store.write(lambda tx: disposal.certify(tx, 0, number, PLANNER))
    assert await old.store.write(lambda tx: disposal.note_settled(tx, 0, PLANNER, numbers)) == []
    assert await old.store.read(disposal.unsettled) == {number}
