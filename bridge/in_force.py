"""What decides now, and whether anything may pass: policies come into force here, while messages flow.

Rules of this file: a set of policies is read, checked and compiled in a thread; the switch is one assignment
between two batches, after the ledger has it. So each message is judged by one whole set, every verdict names
it, and nothing in flight is dropped or judged again. A set that does not pass never replaces one that did.

Two ways, by `[policy] activation`:

    watch      what is saved in the files decides, as soon as it passes check and tests; but a saved file ends
               no legal hold
    approved   what is approved in the store decides, from the bytes that were approved; the files decide
               nothing, and one that differs is an alarm; only how old a list is, its file says: one that is
               delivered again with what was approved in it is new

The store is asked a few times a second: acts of people come from other processes, which ring no bell here.
Files are looked at as often, by time and size: that works on every file system, and costs less than a
message. What they say is read once a minute as well: an edit may keep both.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from bridge import telemetry
from bridge.errors import ConfigError, Conflict, Damaged, PolicyError, StoreError
from bridge.message import Archived, Verdict
from bridge.pipeline import Bell, House
from bridge.policy import Diagnostic, PolicySet, Source, assemble
from bridge.policy.changes import Direction
from bridge.policy.comparison import compare
from bridge.policy.judge import judge
from bridge.proposals import Bar, Hashes, frozen
from bridge.store import proposals
from bridge.store.database import Database
from bridge.store.policies import milliseconds, moment, sources_of

log = telemetry.log()

GIVE_WAY = 0.00005
"""Seconds after which the thread that compiles a set lets another one run."""

GRACE = 3.0
"""Seconds that a file may be away before it counts as removed: some editors unlink it and write it anew."""

READ_AGAIN = 60.0
"""Seconds between two looks at what the files say: an edit can keep a file's time and size."""

MOST_CODES = 20
"""How many codes of mistakes one log line names."""

ON_DISK = "file on disk"
"""Who put a saved file into force: nobody knows."""

NOTHING_APPROVED = """\
[policy] activation is "approved", and no set of policies has been approved yet. Two people do that:
  weighbridge policy propose --reason "the first set"
  weighbridge policy approve 1 --reason "read and tested"
  weighbridge policy activate 1 --reason "the bridge begins"
then start the daemon again. For a desk of one person, write activation = "watch"."""

NEVER_APPROVED = """\
[policy] activation is "approved", and what is in force came from the files without anybody's approval. It
does not go on like that, and no older set comes back by itself. Have what is to decide approved, even if it
is what decides now:
  weighbridge policy propose --reason "what is to decide"
  weighbridge policy approve NUMBER --reason "read and tested"
  weighbridge policy activate NUMBER --reason "as agreed"
then start the daemon again. For a desk of one person, write activation = "watch"."""

NOT_ALONE = """\
A saved file ends no legal hold, because one person can save it: put it back. Two people end it by a change of
the policy that the second approves ([policy] activation = "approved")"""

Signature = tuple[tuple[str, int, int], ...]
Names = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Law:
    """Where policies come from, and how they come into force.

    `load` reads and compiles the files, raising PolicyError or ConfigError; `on_disk` only reads them.
    `folders` are looked at for saved files. `bar` is how many people must agree to a change.
    """

    load: Callable[[], PolicySet]
    on_disk: Callable[[], Sequence[Source]] = tuple
    folders: tuple[Path, ...] = ()
    activation: str = "watch"
    bar: Bar = field(default_factory=Bar)


class Judging:
    """The judge of the judgement room: the policies that are in force now, and whether all is frozen."""

    def __init__(self, policies: PolicySet | None = None) -> None:
        self._policies = policies
        self.frozen = False

    @property
    def policies(self) -> PolicySet:
        """What decides. Raises StoreError before anything is in force: then nothing may be judged."""
        if self._policies is None:
            raise StoreError("no policy is in force yet")
        return self._policies

    @policies.setter
    def policies(self, policies: PolicySet) -> None:
        self._policies = policies

    @property
    def hashes(self) -> Hashes:
        """Name and hash of each file that decides; none before anything is in force."""
        return self._policies.hashes if self._policies else ()

    @property
    def reach(self) -> tuple[int, int]:
        """How far back the policies in force look; see `bridge.ports.Judge`."""
        return self.policies.reach

    def __call__(self, archived: Archived, now: datetime) -> Verdict:
        """The verdict of the policies in force; while frozen, nothing passes."""
        verdict = judge(self.policies, archived.message, archived.context, now)
        return frozen(verdict) if self.frozen else verdict


class InForce:
    """Keeps `judging` at what is in force: by the files, by the approved changes, by a freeze.

    `refused` counts what is wrong with the files as they are saved (0: they decide, or nothing was saved);
    `differs` says that they are not what was approved; `stale` are the (policy, list) that are out of date;
    `removed` are the policies that decided until their files went.
    """

    def __init__(self, judging: Judging, law: Law, house: House, database: Database) -> None:
        self.judging, self.law, self.house, self.database = judging, law, house, database
        self.refused = 0
        self.differs = False
        self.stale: Names = ()
        self.removed: tuple[str, ...] = ()
        self._gone_since = 0.0
        self._contents: frozenset[str] = frozenset()
        self._read_at = 0.0
        self._asked = False
        self._bell = Bell()
        self._seen: Signature = ()

    async def begin(self) -> None:
        """Put into force what is to decide from the start; also what fell due while no daemon ran.

        Raises PolicyError or ConfigError when there is nothing that could decide.
        """
        await self._follow_freeze()
        self._seen = await self._signature()
        await self._is_rewritten()
        if self.law.activation == "approved":
            await self._begin_approved()
        else:
            await self._put_files_in_force("weighbridge", "start of the daemon")
        for name, digest in self.judging.policies.hashes:
            log.info("policy:loaded", policy=name, version=digest)
        self._look_at_ages()

    async def run(self) -> None:
        """Follow files, changes and freezes until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._freezes())
            tasks.create_task(self._policies())

    def reload(self) -> None:
        """Read the files again, although nothing seems to have been saved."""
        self._asked = True
        self._bell.ring()

    # --- freeze

    async def _freezes(self) -> None:
        while True:
            await asyncio.sleep(self.house.pace.look)
            await self._follow_freeze()

    async def _follow_freeze(self) -> None:
        stopped = (await self.database.orders()).frozen
        if stopped == self.judging.frozen:
            return
        self.judging.frozen = stopped
        telemetry.metrics.frozen.set(stopped)
        if stopped:
            self.house.halt.set()
            log.error("house:frozen")
            return
        self.house.halt.clear()
        log.warning("house:unfrozen")
        for bell in self.house.bells.deliver.values():
            bell.ring()

    # --- policies

    async def _policies(self) -> None:
        before = self._seen
        while True:
            await self._bell.wait(self.house.pace.look)
            self._look_at_ages()
            now = await self._signature()
            # What was saved this very moment may not be whole yet: it is looked at again first.
            settled = now == before and (now != self._seen or await self._is_due_and_rewritten())
            before = now
            if self.law.activation == "approved":
                await self._follow_changes()
                if settled or self._asked:
                    self._seen, self._asked = now, False
                    await self._is_rewritten()
                    await self._compare_files()
            elif self._asked or (settled and not self._may_come_back(now)):
                why = "SIGHUP" if self._asked else "saved"
                self._seen, self._asked = now, False
                await self._is_rewritten()
                await self._take_files(why)

    async def _is_due_and_rewritten(self) -> bool:
        """Whether files say something else than when they were read last; asked once in a while."""
        due = asyncio.get_running_loop().time() - self._read_at >= READ_AGAIN
        return due and await self._is_rewritten()

    async def _is_rewritten(self) -> bool:
        """Whether files say something else than when this was asked last: time and size may both stay."""
        self._read_at = asyncio.get_running_loop().time()
        try:
            found = await asyncio.to_thread(self.law.on_disk)
        except ConfigError:
            found = ()
        before, self._contents = self._contents, frozenset(source.hash for source in found)
        return self._contents != before

    def _may_come_back(self, now: Signature) -> bool:
        """Whether a file went so short a time ago that an editor may be writing it anew."""
        if {path for path, *_ in self._seen} <= {path for path, *_ in now}:
            self._gone_since = 0.0
            return False
        time = asyncio.get_running_loop().time()
        self._gone_since = self._gone_since or time
        if time - self._gone_since < GRACE:
            return True
        self._gone_since = 0.0
        return False

    async def _signature(self) -> Signature:
        if not self.law.folders:
            return ()
        return await asyncio.to_thread(lambda: tuple(sorted(_files_below(self.law.folders))))

    def _look_at_ages(self) -> None:
        """Raise the alarm when a list has become too old: all under its policy is held from then on."""
        found = out_of_date(self.judging.policies, moment(self.house.clock.now()))
        for policy, name in found:
            if (policy, name) not in self.stale:
                log.error("policy:stale", policy=policy, list=name)
        self.stale = found
        telemetry.metrics.policy_stale.set(len(found))

    # by the files

    async def _take_files(self, why: str) -> None:
        person = "weighbridge" if why == "SIGHUP" else ON_DISK
        reason = why if why == "SIGHUP" else "saved, and it passes check and tests"
        try:
            await self._put_files_in_force(person, reason)
        except (PolicyError, ConfigError) as error:
            code = codes(error)
            await self.database.refuse_files(code, len(error.problems))
            self._refuse(len(error.problems))
            log.error("policy:refused", code=code, count=len(error.problems))

    async def _put_files_in_force(self, person: str, reason: str) -> None:
        before = self.judging.hashes
        policies = await beside(self.law.load)
        await self._keep_holds(policies)
        removed = await self._removed(policies)
        if removed:
            reason = f"removed: {', '.join(removed)}; {reason}"
        await self.database.activate_policy(policies.hashes, person, reason, policies.sources)
        self.judging.policies = policies
        self._say_removed(removed)
        if self.refused:
            log.info("policy:accepted", count=len(policies.hashes))
        self._refuse(0)
        if before and before != policies.hashes:
            log.info("policy:activated", count=len(policies.hashes))

    async def _keep_holds(self, policies: PolicySet) -> None:
        """Raises ConfigError when files end or narrow a legal hold that stands: nobody does that alone."""
        standing = await self.database.read(proposals.in_force)
        if standing == policies.hashes:
            return
        try:
            sources = await self.database.read(lambda db: sources_of(db, [digest for _, digest in standing]))
        except StoreError:
            return  # nobody can say what they were; who wants to dispose of anything is told so
        if dropped := await asyncio.to_thread(loosened_holds, sources, policies):
            raise ConfigError([f"{one}. {NOT_ALONE}" for one in dropped])

    async def _removed(self, policies: PolicySet) -> list[str]:
        """Names of policies that decided until now and do not in this set, also since the last start."""
        names = {name for name, _ in policies.hashes}
        return [name for name, _ in await self.database.read(proposals.in_force) if name not in names]

    def _say_removed(self, removed: Sequence[str]) -> None:
        names = {name for name, _ in self.judging.hashes}
        for name in removed:
            log.warning("policy:removed", policy=name)
        self.removed = tuple(sorted({*self.removed, *removed} - names))

    def _refuse(self, problems: int) -> None:
        self.refused = problems
        telemetry.metrics.policy_refused.set(bool(problems))

    # by approved changes

    async def _begin_approved(self) -> None:
        """What fell due comes into force first; then what decides goes on, if it was approved.

        Raises ConfigError when it was not: no set comes back, and none stays, without people who say so.
        """
        due = (await self.database.orders()).due
        if due:
            await self._put_change_in_force(due)
        number = await self.database.read(proposals.deciding)
        if not number:
            raise ConfigError(await self._unapproved(due))
        if not self.judging.hashes:
            self.judging.policies = await self._approved(number)
        await self._compare_files()

    async def _unapproved(self, due: int) -> str:
        """Why nothing that decides was approved, and what people do about it."""
        if due:
            return f"change {due} could not come into force; `weighbridge policy history` says why"
        known = await self.database.read(proposals.in_force)
        return NEVER_APPROVED if known else NOTHING_APPROVED

    async def _follow_changes(self) -> None:
        due = (await self.database.orders()).due
        if due:
            await self._put_change_in_force(due)
            await self._compare_files()

    async def _put_change_in_force(self, number: int) -> None:
        try:
            policies = await self._approved(number)
            await self.database.activate_change(number, self.law.bar)
        except PolicyError as error:
            await self._put_aside(number, "broken", len(error.problems))
        except Conflict:
            await self._put_aside(number, "moved", 0)
        except Damaged:
            await self._put_aside(number, "damaged", 0)
        else:
            self.judging.policies = policies
            log.info("policy:activated", change=number, count=len(policies.hashes))

    async def _put_aside(self, number: int, code: str, problems: int) -> None:
        await self.database.refuse_change(number, code)
        log.error("policy:refused", change=number, code=code, count=problems)

    async def _approved(self, number: int) -> PolicySet:
        """The set of a change, from the bytes that were approved."""
        sources = await self.database.read(lambda db: _sources(db, number))
        return await beside(lambda: compiled(sources))

    async def _compare_files(self) -> None:
        """Raise the alarm when the files are not what decides."""
        try:
            found = await asyncio.to_thread(self.law.on_disk)
        except ConfigError:
            found = ()
        await self._take_delivered(found)
        approved = {digest for _, digest in self.judging.hashes}
        differs = {source.hash for source in found} != approved
        telemetry.metrics.policy_differs.set(differs)
        if differs and not self.differs:
            log.error("policy:differs")
        self.differs = differs

    async def _take_delivered(self, found: Sequence[Source]) -> None:
        """Lists that lie there with what was approved, delivered anew, are as old as their files."""
        renewed = delivered(self.judging.policies.sources, found)
        if renewed is not None:
            self.judging.policies = await beside(lambda: compiled(renewed))
            log.info("policy:delivered")


def codes(error: PolicyError | ConfigError) -> str:
    """The codes of what is wrong, each once, joined by "+"; "files" where the files cannot even be found."""
    found = {one.code for one in error.problems if isinstance(one, Diagnostic) and one.severity == "error"}
    return "+".join(sorted(found)[:MOST_CODES]) or "files"


def out_of_date(policies: PolicySet, now: datetime) -> Names:
    """(policy, list) of each list that is older than its policy allows."""
    return tuple((policy.name, name) for policy in policies.policies for name in policy.stale(now))


def delivered(decides: Sequence[Source], on_disk: Sequence[Source]) -> list[Source] | None:
    """What decides, with the times of its lists whose files have the same content and are newer; None when
    none is. Only content and name of a list count: the policy beside it may be another draft."""
    times = {
        (name, data): source.changed[name]
        for source in on_disk
        for name, data in source.files.items()
        if name in source.changed
    }
    renewed = [replace(source, changed=_newest(source, times)) for source in decides]
    return (
        renewed
        if any(new.changed != old.changed for new, old in zip(renewed, decides, strict=True))
        else None
    )


def _newest(source: Source, times: Mapping[tuple[str, bytes], datetime]) -> dict[str, datetime]:
    """When each list was delivered last, to the millisecond: that is how the store writes times."""
    newest = dict(source.changed)
    for name, data in source.files.items():
        known, seen = newest.get(name), times.get((name, data))
        if seen and (known is None or milliseconds(seen) > milliseconds(known)):
            newest[name] = seen
    return newest


async def beside(work: Callable[[], PolicySet]) -> PolicySet:
    """Do this work in a thread that gives way at once to whoever has a message in hand.

    The interpreter lets one thread run at a time. One that computes gives way after the switch interval,
    and a message asks for its turn some hundred times on its way: those waits are what it would be late by.
    """
    usual = sys.getswitchinterval()
    sys.setswitchinterval(GIVE_WAY)
    try:
        return await asyncio.to_thread(work)
    finally:
        sys.setswitchinterval(usual)


def loosened_holds(sources: Sequence[Source], policies: PolicySet) -> list[str]:
    """The legal holds that stand by `sources` and that `policies` would end or narrow, as sentences."""
    if not any(b"legal_holds" in source.data for source in sources):
        return []
    before, _ = assemble(sources)
    changes = compare(before, policies) if before else ()
    worse = (Direction.LOOSER, Direction.CHECK)
    return [one.sentence() for one in changes if one.section == "legal_hold" and one.direction in worse]


def _sources(db: object, number: int) -> list[Source]:
    """A change's files as they were approved, with the times that their lists had then."""
    proposal = proposals.change(db, number).proposal
    found = sources_of(db, [digest for _, digest in proposal.policies])
    return [
        replace(source, changed={name: moment(when) for name, when in changed.items()})
        for source in found
        for changed in [proposal.changed.get(source.hash, {})]
    ]


def compiled(sources: Sequence[Source]) -> PolicySet:
    """A set ready to judge. Raises PolicyError with every problem."""
    policies, diagnostics = assemble(sources)
    if policies is None or any(one.severity == "error" for one in diagnostics):
        raise PolicyError(diagnostics)
    return policies


def _files_below(folders: Sequence[Path]) -> Iterator[tuple[str, int, int]]:
    """Name, time and size of every file below these folders; what vanishes meanwhile is left out."""
    for folder in folders:
        for place, _, names in os.walk(folder):
            for name in names:
                path = os.path.join(place, name)
                try:
                    found = os.stat(path)
                except OSError:
                    continue
                yield path, found.st_mtime_ns, found.st_size
