"""The archive, read for a back-test: every message that a policy decided, with what was known then.

Rules of this file: reads only, in slices of message numbers, each in a transaction of its own, so that the
daemon's log can be cut while a back-test runs and memory does not grow with the history. What cannot be
replayed is counted with its reason, never left out in silence. Only `record` writes: who looked, and why.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from multiprocessing import get_context
from typing import Any

import orjson
from sqlalchemy import Connection, Engine, and_, func, select

from bridge.errors import Missing, StoreError
from bridge.message import Cause, Context, Kind, Message, Verdict
from bridge.policy import PolicySet, Source, assemble
from bridge.policy.judge import judge
from bridge.policy.tally import Case, Tally
from bridge.ports import KeyKeeper
from bridge.store import schema as s
from bridge.store.codec import Known, dump, known_from, message_from, verdict_from
from bridge.store.context import earlier, recorded_context
from bridge.store.database import open_engine
from bridge.store.directory import Directory
from bridge.store.proving import testimony
from bridge.store.recorded import BY_PERSON, DAMAGE, NO_POLICY, NOT_RECORDED
from bridge.store.rows import MESSAGE_CONTENT, VERDICT_CONTENT
from bridge.store.vault import if_whole
from bridge.store.writer import Tx

SLICE = 2_000
"""Message numbers that are read and judged together: what one process holds at a time."""

ERASED = "its content is no longer stored"
NOT_JUDGED = "no policy has decided it yet"
UNREADABLE = "its record, or what it rested on, cannot be read"


# --- what there is --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Extent:
    """The messages of a period: the first and last number, and how many there are."""

    first: int
    last: int
    count: int

    def slices(self) -> Iterator[tuple[int, int]]:
        """Ranges of numbers, both ends included, that cover them."""
        for start in range(self.first, self.last + 1, SLICE):
            yield start, min(start + SLICE - 1, self.last)


def extent(db: Connection, since: int, until: int) -> Extent:
    """Messages that people wrote, archived from `since` until before `until` (milliseconds)."""
    m = s.messages.c
    query = select(func.min(m.id), func.max(m.id), func.count()).where(*_written(since, until))
    first, last, count = db.execute(query).one()
    return Extent(first or 1, last or 0, count)


def _written(since: int, until: int) -> tuple[Any, ...]:
    """Neither words of the bridge's own nor what only the networks say: no policy is asked about these."""
    m = s.messages.c
    silent = (Kind.NOTE.value, Kind.FAILED.value)
    return m.archived_at >= since, m.archived_at < until, m.notice_for.is_(None), m.kind.not_in(silent)


# --- one slice ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be replayed: the store, both sets of policies, the period, and the size of the sample."""

    url: str
    live: tuple[Source, ...]
    draft: tuple[Source, ...]
    since: int
    until: int
    sample: int = 20
    keeper: KeyKeeper | None = None


class Bench:
    """One process's view: the store open for reading, and both sets of policies ready to judge."""

    def __init__(self, question: Question) -> None:
        self._question = question
        self._live = _ready(question.live)
        equal = [one.hash for one in question.live] == [one.hash for one in question.draft]
        self._draft = self._live if equal else _ready(question.draft)
        (messages, time), (more, longer) = self._live.reach, self._draft.reach
        self._reach = max(messages, more), max(time, longer)
        self._engine: Engine = open_engine(question.url, question.keeper)
        self._directory = Directory()

    def close(self) -> None:
        """Let go of the store."""
        self._engine.dispose()

    def replay(self, first: int, last: int) -> Tally:
        """What comes of the messages with these numbers."""
        tally = Tally(self._question.sample)
        with self._engine.connect() as db, db.begin():
            self._directory.refresh(db)
            rows = db.execute(_messages(first, last, self._question.since, self._question.until)).all()
            decided = _decided(db, first, last)
            for row in rows:
                found = self._case(db, row, decided.get(row.id, ()))
                if isinstance(found, Case):
                    tally.add(found)
                else:
                    tally.miss(found)
        return tally

    def _case(self, db: Connection, row: Any, bodies: Sequence[tuple[str, bytes]]) -> Case | str:
        """A message decided twice, or why it cannot be: every message is one or the other."""
        if row.body is None:
            return ERASED
        try:
            body = next((body for cause, body in bodies if _by_policy(cause, body)), None)
            return self._decided(db, row, body) if body is not None else _undecided(row, bodies)
        except DAMAGE:
            return UNREADABLE

    def _decided(self, db: Connection, row: Any, body: bytes) -> Case | str:
        message = message_from(row.body, b"")
        recorded = verdict_from(body, message.text)
        known = known_from(body)
        if known is None:
            return NOT_RECORDED
        try:
            context = self._context(db, row.id, message, known)
        except (KeyError, IndexError):
            raise
        except LookupError as error:
            return str(error.args[0])
        return self._twice(row.id, message, context, known.now, recorded)

    def _context(self, db: Connection, number: int, message: Message, known: Known) -> Context:
        """As it was then; of what was said before, as much as both policies look back for."""
        context = recorded_context(db, self._directory, number, message, replace(known, earlier=()))
        return replace(context, earlier=earlier(db, number, message, self._reach))

    def _twice(self, number: int, message: Message, context: Context, now: int, recorded: Verdict) -> Case:
        """Both verdicts. What this very program decided by the live policies is not decided again, unless a
        freeze held it: the policies are compared, not the freeze."""
        moment = datetime.fromtimestamp(now / 1000, UTC)
        by_live = recorded.policies == self._live.hashes and recorded.engine == self._live.engine_version
        by_live = by_live and recorded.cause is not Cause.PERSON
        live = recorded if by_live else judge(self._live, message, context, moment)
        draft = live if self._live is self._draft else judge(self._draft, message, context, moment)
        person = message.address or message.sender
        return Case(number, now, f"{message.network}/{message.conversation}", person, live, draft)


def _by_policy(cause: str, body: bytes) -> bool:
    """Whether a policy was asked for this verdict: a person's has no record of what it rested on, unless it
    was a freeze that turned the policy's answer into a hold."""
    return cause != Cause.PERSON or known_from(body) is not None


def _undecided(row: Any, bodies: Sequence[tuple[str, bytes]]) -> str:
    """Why no policy's verdict is there."""
    if bodies:
        return BY_PERSON
    return NOT_JUDGED if row.state in ("new", "fetching") else NO_POLICY


def _ready(sources: Sequence[Source]) -> PolicySet:
    """The policies of `sources`, which were checked before. Raises ValueError when they were not."""
    policies, _ = assemble(sources)
    if policies is None:
        raise ValueError("a policy that cannot be used was given to a back-test")
    return policies


def _messages(first: int, last: int, since: int, until: int) -> Any:
    m, c = s.messages.c, MESSAGE_CONTENT.c
    return (
        select(m.id, m.state, if_whole(c.body).label("body"))
        .join(MESSAGE_CONTENT, and_(c.lane == m.lane, c.seq == m.entry), isouter=True)
        .where(m.id.between(first, last), *_written(since, until))
        .order_by(m.id)
    )


def _decided(db: Connection, first: int, last: int) -> Mapping[int, list[tuple[str, bytes]]]:
    """Cause and body of every verdict on the messages with these numbers, the first first."""
    v, m, c = s.verdicts.c, s.messages.c, VERDICT_CONTENT.c
    query = (
        select(v.message, v.cause, if_whole(c.body).label("body"))
        .join(s.messages, m.id == v.message)
        .join(VERDICT_CONTENT, and_(c.lane == m.lane, c.seq == v.entry))
        .where(v.message.between(first, last))
        .order_by(v.id)
    )
    found: dict[int, list[tuple[str, bytes]]] = defaultdict(list)
    for row in db.execute(query):
        found[row.message].append((row.cause, row.body))
    return found


# --- all slices -----------------------------------------------------------------------------------------

_BENCHES: list[Bench] = []
"""Of a worker process: what it was started with."""


def _start(question: Question) -> None:
    _BENCHES.append(Bench(question))


def _work(first: int, last: int) -> Tally:
    return _BENCHES[0].replay(first, last)


def replay(question: Question, over: Extent, workers: int) -> Iterator[Tally]:
    """A tally of each slice, in whatever order they are done, from so many processes (1: this one).

    Raises StoreError when one of them was ended from outside.
    """
    if workers < 2 or over.count <= SLICE:
        bench = Bench(question)
        try:
            yield from (bench.replay(*part) for part in over.slices())
        finally:
            bench.close()
        return
    with ProcessPoolExecutor(workers, get_context("spawn"), _start, (question,)) as pool:
        try:
            yield from _spread(pool, over.slices(), 2 * workers)
        except BrokenProcessPool:
            raise StoreError("a process of the back-test was ended from outside: try --workers 1") from None
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _spread(pool: ProcessPoolExecutor, slices: Iterable[tuple[int, int]], at_once: int) -> Iterator[Tally]:
    """Hand out a few slices at a time: what is not asked for yet takes no memory."""
    waiting: set[Future[Tally]] = set()
    for part in slices:
        waiting.add(pool.submit(_work, *part))
        if len(waiting) >= at_once:
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            yield from (one.result() for one in done)
    yield from (one.result() for one in waiting)


# --- what is kept of it ---------------------------------------------------------------------------------


def record(tx: Tx, lane: int, person: str, reason: str, report: Mapping[str, Any]) -> str:
    """Write down who replayed the archive against which policies, why, and what came out; gives its name."""
    name = f"bt-{tx.chance(4).hex()}"
    facts = {
        "messages": report["replayed"],
        "changed": sum(one["messages"] for one in report["changes"]),
        "live": [digest for _, digest in report["live"]],
        "draft": [digest for _, digest in report["draft"]],
    }
    body = dump({"person": person, "reason": reason, "report": report})
    tx.append(lane, "policy:backtested", f"backtest/{name}", facts, body)
    return name


def reports(db: Connection, limit: int) -> list[dict[str, Any]]:
    """The last reports, the newest first: `name`, `at`, `person`, `reason` and `report` of each."""
    e, c = s.ledger.c, s.content.c
    query = (
        select(e.lane, e.seq, e.entry, c.body)
        .join(s.content, and_(c.lane == e.lane, c.seq == e.seq))
        .where(e.subject > "backtest/", e.subject < "backtest0")
    )
    found = [_report(row) for row in db.execute(query)]
    return sorted(found, key=lambda one: -one["at"])[:limit]


def report_of(db: Connection, name: str) -> dict[str, Any]:
    """One report by its name. Raises Missing when there is none."""
    e, c = s.ledger.c, s.content.c
    query = select(e.lane, e.seq, e.entry, c.body).join(s.content, and_(c.lane == e.lane, c.seq == e.seq))
    row = db.execute(query.where(e.subject == f"backtest/{name}")).first()
    if row is None:
        raise Missing(f"there is no back-test {name}; see `weighbridge policy backtests`")
    return _report(row)


def _report(row: Any) -> dict[str, Any]:
    said = testimony(row.lane, row.seq, row.entry)
    return {"name": said.subject.partition("/")[2], "at": said.at, **orjson.loads(row.body)}
