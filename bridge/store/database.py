"""The store, opened: one writing thread, a few reading ones, migrations, and the files beside.

Rules of this file: no SQL statement stands here, they are in the modules beside it. It does not know which
engine it works on: what differs is in `engines`. Whatever an `await` returns has been committed.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import Connection, insert, inspect, select
from sqlalchemy.exc import SQLAlchemyError

from bridge.errors import Conflict, StoreError
from bridge.ledger.tree import Frontier
from bridge.message import Archived, Batch, Blob, Inspection
from bridge.ports import (
    NO_REACH,
    Attempt,
    Claim,
    Clock,
    KeyKeeper,
    Late,
    Order,
    Placing,
    Ruling,
    Stopped,
    Unreadable,
    Wanted,
    ignore,
    ignore_unreadable,
)
from bridge.proposals import Approval, Bar, Proposal
from bridge.store import acts, deadlines, holds, intake, judging, proposals, samples, sending, terms
from bridge.store import schema as s
from bridge.store.blobs import BlobFolder
from bridge.store.causes import asking, cause
from bridge.store.codec import dump
from bridge.store.directory import Directory
from bridge.store.engines import Held, alone, hold, open_engine, partition, place, prepare
from bridge.store.lease import LEASE_MS, Lease, Mark
from bridge.store.proposals import Orders
from bridge.store.rows import chunks, drop_delivery
from bridge.store.uses import Uses
from bridge.store.vault import vault_of
from bridge.store.writer import Shared, Tx, Writer

if TYPE_CHECKING:
    from bridge.policy import Source

Result = TypeVar("Result")

SCHEMA = "0002"
"""The newest migration."""

CLOSED_SCHEMA = f"closed-{SCHEMA}"
"""What the tables of a closed store say instead: a program that knows nothing of closing refuses them."""


def migrate(url: str, keeper: KeyKeeper | None = None) -> None:
    """Bring the tables up to `SCHEMA`. Alembic is loaded only when there is something to do."""
    engine, version = open_engine(url, keeper), None
    try:
        with engine.connect() as db:
            if inspect(db).has_table("alembic_version"):
                version = db.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
                if version in (SCHEMA, CLOSED_SCHEMA):
                    return
        from alembic import command
        from alembic.config import Config
        from alembic.util import CommandError

        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
        with engine.connect().execution_options(writes=True) as db:
            alone(db)
            config.attributes["connection"] = db
            try:
                command.upgrade(config, "head")
            except CommandError:
                raise StoreError(
                    f"{place(url)} is of another version of this program: its tables are {version}, and this "
                    f"one reads {SCHEMA}. Nothing was changed. Use the program that made it, or begin anew."
                ) from None
            db.commit()
    except SQLAlchemyError as error:
        raise StoreError(f"{place(url)} cannot be opened or migrated: {cause(error)}") from None
    finally:
        engine.dispose()


def create(url: str, now: int, lanes: int = 1, keeper: KeyKeeper | None = None) -> None:
    """Make the tables and begin each lane's ledger; nothing happens to a store that exists already."""
    prepare(url)
    migrate(url, keeper)
    engine = open_engine(url, keeper)
    try:
        with engine.connect().execution_options(writes=True) as db, db.begin():
            alone(db)
            if not db.execute(select(s.lanes.c.lane)).first():
                _begin_ledgers(db, now, lanes)
    except SQLAlchemyError as error:
        raise StoreError(f"{place(url)} cannot be written to: {cause(error)}") from None
    finally:
        engine.dispose()


def _begin_ledgers(db: Connection, now: int, lanes: int) -> None:
    for lane in range(lanes):
        partition(db, lane)
        db.execute(insert(s.lanes).values(lane=lane, frontier=Frontier().to_bytes()))
    installation = secrets.token_hex(8)
    db.execute(insert(s.meta).values(key="installation", value=installation))
    vault_of(db).begin(db, now)
    master = vault_of(db).keeper.current
    tx = Tx(db, lambda: now)
    for lane in range(lanes):
        facts: dict[str, object] = {"lanes": lanes, "installation": installation}
        facts |= {} if lane else {"master": master}
        tx.append(lane, "ledger:opened", f"lane/{lane}", facts)
    tx.flush()
    tx.seal()


class Database:
    """An open store: `bridge.ports.Store` for the rooms, `write` and `read` for desk and commands.

    `own` makes this process the one that works the lane; without it, only the desk's acts may be written.
    """

    def __init__(self, url: str, blobs: Path, clock: Clock, keeper: KeyKeeper | None = None) -> None:
        self.url = url
        self.engine = open_engine(url, keeper)
        self.blobs = BlobFolder(blobs, vault_of(self.engine))
        self.clock = clock
        self.lane = 0
        self.epoch = -1
        self._directory = Directory(goes_on=True)
        self._uses = Uses()
        self._looked_astray = -sending.ASTRAY_EVERY
        self._reading_directory = Directory(goes_on=True)
        self._writer = Writer(self.engine.execution_options(writes=True), clock.now)
        self._readers = ThreadPoolExecutor(1, "store-reader")
        self._reading: Connection | None = None
        self._held: Held | None = None
        self.lease = Lease()
        self._mark = Mark(blobs / f"lane-{self.lane}.lock")

    # what everybody may do

    async def write(self, job: Callable[[Tx], Result]) -> Result:
        """Run `job` in a transaction; see `Writer.submit`."""
        try:
            return await self._writer.submit(job)
        except StoreError:
            # What the directory read inside a transaction that failed may never have been true.
            self._directory = Directory(goes_on=True)
            raise

    async def read(self, query: Callable[[Connection], Result]) -> Result:
        """Run `query` on a connection that only reads, in its own thread."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, query)

    def _read(self, query: Callable[[Connection], Result]) -> Result:
        with asking():
            if self._reading is None:
                self._reading = self.engine.connect()
            with self._reading.begin():
                return query(self._reading)

    async def read_apart(self, query: Callable[[Connection], Result]) -> Result:
        """Run `query`, which may take long, on a connection and in a thread of its own: nobody who reads
        waits for it."""
        return await asyncio.to_thread(self._read_apart, query)

    def _read_apart(self, query: Callable[[Connection], Result]) -> Result:
        with asking(), self.engine.connect() as db, db.begin():
            return query(db)

    def close(self) -> None:
        """Finish what is being written, and let go of the files."""
        self._writer.close()
        self._readers.submit(self._stop_reading).result()
        self._readers.shutdown()
        self.engine.dispose()
        if self._held is not None:
            self._held.release()
        self._mark.release()

    def _stop_reading(self) -> None:
        if self._reading is not None:
            self._reading.close()

    def unlock(self) -> str:
        """Open the store's keys; gives the name of the master key. Raises ConfigError when it is not here."""
        with self.engine.connect() as db:
            vault_of(db).load(db)
        return vault_of(self.engine).keeper.current

    # owning the lane

    async def own(self, owner: str) -> None:
        """Become the worker of the lane. Raises Conflict while another daemon has it, and ConfigError when
        the master key is not here: nothing would be archived.

        What is held proves that a former owner works no more (`engines.hold`), so the lane need not be waited
        for; only what it may have sent is, while it is not known to be dead (`acts.take_lane`).
        """
        await asyncio.to_thread(self.unlock)
        self._held = await asyncio.to_thread(hold, self.engine, self.lane)
        alone = self._held is not None
        take = partial(acts.take_lane, lane=self.lane, owner=owner, ttl=LEASE_MS, force=alone)
        since = self.lease.seconds()
        epoch = await self.write(lambda tx: take(tx, is_dead=self._is_dead))
        if epoch is None:
            raise Conflict("another daemon works this store; stop it, or wait for its lease to run out")
        self.epoch = epoch
        self._uses = Uses(self.clock.now())
        self.lease.extend(since)
        if alone:
            await self._leave_mark()
            await asyncio.to_thread(self.blobs.sweep, vault_of(self.engine).has_file_key)

    def _is_dead(self, epoch: int) -> bool:
        """Whether it is proved that the process which worked the lane under `epoch` is no more."""
        return self._held is not None and (self._held.proves_death or self._mark.proves(epoch))

    async def _leave_mark(self) -> None:
        """Let whoever comes next see whether we are dead, where it would not know it otherwise."""
        if self._held is not None and not self._held.proves_death:
            await asyncio.to_thread(self._mark.write, self.epoch)

    async def renew(self) -> None:
        """Show that we live. Raises StoreError when somebody else has taken the lane, or may take it."""
        if self._held is not None:
            await asyncio.to_thread(self._held.check)
            await self._leave_mark()
        since = self.lease.seconds()
        await self.write(lambda tx: acts.renew_lane(tx, self.lane, self.epoch, LEASE_MS))
        self.lease.extend(since)

    async def leave(self) -> None:
        """Give the lane up."""
        await self.write(lambda tx: acts.leave_lane(tx, self.lane, self.epoch))

    async def give_back(self, network: str) -> None:
        """Put back what a network's closed room had claimed."""
        await self.write(lambda tx: acts.give_back(tx, self.lane, network, self.epoch, self._uses))

    # bridge.ports.Store

    async def cursors(self, network: str) -> Mapping[str, str]:
        """The positions that batches of this network were committed with."""
        c = s.cursors.c
        query = select(c.name, c.value).where(c.network == network)
        return await self.read(lambda db: {row.name: row.value for row in db.execute(query)})

    async def archive(self, batch: Batch) -> int:
        """Keep a batch, once; gives how many of its messages were new."""
        return await self.write(Shared(self._archive, batch))

    def _archive(self, tx: Tx, batches: Sequence[Batch]) -> Sequence[int]:
        return intake.archive(tx, batches, self._directory, self.lane, self.epoch)

    async def wanted_files(
        self, network: str, limit: int, unreadable: Unreadable = ignore_unreadable
    ) -> Sequence[Wanted]:
        """Attachments whose time to be fetched has come."""
        now = self.clock.now()
        return await self.read(lambda db: intake.wanted_files(db, network, now, limit, unreadable))

    async def keep(self, pieces: AsyncIterator[bytes], limit: int) -> tuple[str, int]:
        """Keep an attachment's bytes; gives digest and size. Raises Refused past `limit` bytes."""
        return await self.blobs.write(pieces, limit)

    async def settle_file(
        self, wanted: Wanted, blob: Blob | None, reason: str = "", inspection: Inspection | None = None
    ) -> None:
        """An attachment is archived as `blob`, with what was found in it, or will never be had because of
        `reason`."""
        await self.write(
            lambda tx: intake.settle_file(tx, wanted, blob, reason, inspection, self.lane, self.epoch)
        )
        if blob:
            await asyncio.to_thread(self.blobs.recorded, blob.digest)

    async def postpone_file(self, wanted: Wanted, at: int) -> None:
        """Try this attachment again at `at`."""
        await self.write(lambda tx: intake.postpone_file(tx, wanted, at))

    async def unjudged(
        self, limit: int, reach: tuple[int, int] = NO_REACH, unreadable: Unreadable = ignore_unreadable
    ) -> Sequence[Archived]:
        """Messages that are whole and not judged, in order, each with its context."""
        directory = self._reading_directory
        return await self.read(
            lambda db: judging.unjudged(db, directory, self.lane, limit, reach, unreadable)
        )

    async def record_rulings(self, rulings: Sequence[Ruling]) -> None:
        """Write verdicts and what follows from them."""
        await self.write(lambda tx: judging.record_rulings(tx, rulings, self.lane, self.epoch))

    async def settle_late(self, unreadable: Unreadable = ignore_unreadable) -> Sequence[Late]:
        """Escalate, or block for good, the holds whose time is over."""
        if not await self.read(lambda db: deadlines.anything_late(db, self.clock.now())):
            return ()
        return await self.write(lambda tx: deadlines.settle_late(tx, self.lane, self.epoch, unreadable))

    async def claim(
        self, network: str, chats: int, *, look: bool = True, stopped: Stopped = ignore
    ) -> Sequence[Claim]:
        """Take deliveries that are due, in the order of their conversations."""
        astray = self._may_be_astray()
        if look and not await self.read(lambda db: self._anything_to_claim(db, network, astray)):
            return ()
        return await self.write(
            lambda tx: sending.claim(
                tx, self._directory, network, self.lane, self.epoch, chats, stopped, astray, self._uses
            )
        )

    def _may_be_astray(self) -> bool:
        """Whether it is time to look for deliveries that no conversation leads to."""
        now = self.clock.now()
        if 0 <= now - self._looked_astray < sending.ASTRAY_EVERY:
            return False
        self._looked_astray = now
        return True

    def _anything_to_claim(self, db: Connection, network: str, astray: bool) -> bool:
        now = self.clock.now()
        due = sending.anything_due(db, network, self.lane, now)
        return due or (astray and sending.anything_astray(db, self.lane, now, self._uses))

    async def record_attempts(
        self, attempts: Sequence[Attempt], unreadable: Unreadable = ignore_unreadable
    ) -> None:
        """Write what became of claimed deliveries."""
        await self.write(lambda tx: sending.record_attempts(tx, attempts, self.lane, self._uses, unreadable))

    async def set_languages(self, languages: Mapping[str, str]) -> None:
        """The language, by network, of people who are paired with nobody."""
        await self.write(lambda tx: acts.set_languages(tx, languages))

    async def activate_policy(
        self,
        policies: Sequence[tuple[str, str]],
        person: str,
        reason: str,
        sources: Sequence[Source] = (),
    ) -> None:
        """Record which policy files decide from here on, and keep the bytes of `sources`."""
        await self.write(lambda tx: acts.activate_policy(tx, self.lane, policies, person, reason, sources))

    async def orders(self) -> Orders:
        """What there is to do about the policy now."""
        return await self.read(lambda db: proposals.orders(db, self.clock.now()))

    async def activate_change(self, number: int, bar: Bar) -> None:
        """A change that is due comes into force. Raises Conflict when it may not."""
        await self.write(lambda tx: proposals.activate(tx, self.lane, number, bar))

    async def refuse_files(self, code: str, count: int) -> None:
        """Files as saved do not pass; what decided goes on."""
        await self.write(lambda tx: proposals.refuse_files(tx, self.lane, code, count))

    async def refuse_change(self, number: int, code: str) -> None:
        """A change that is due stays out of force."""
        await self.write(lambda tx: proposals.refuse(tx, self.lane, number, code))

    # bridge.ports.Acts

    async def decide_hold(
        self, message: int, person: str, reason: str, *, passed: bool, as_written: bool = False
    ) -> None:
        """A held message passes, or never will."""
        await self.write(lambda tx: acts.decide_hold(tx, message, person, reason, passed, as_written))

    async def draw_samples(self, day: date, person: str, reason: str) -> Sequence[int]:
        """Draw the messages of a day that are reviewed after delivery; gives their numbers."""
        done = await self.write(lambda tx: samples.draw(tx, self.lane, day, person, reason))
        return done.drawn

    async def close_sample(self, message: int, person: str, finding: str) -> None:
        """A drawn message was looked at."""
        await self.write(lambda tx: samples.close(tx, message, person, finding))

    async def retry_delivery(self, permit: str, person: str, reason: str) -> None:
        """A delivery is tried again now."""
        act = dump({"person": person, "reason": reason})
        await self.write(lambda tx: acts.retry_delivery(tx, self.lane, permit, act))

    async def drop_delivery(self, permit: str, person: str, reason: str) -> None:
        """A delivery is given up."""
        act = dump({"person": person, "reason": reason})
        await self.write(lambda tx: drop_delivery(tx, self.lane, permit, {"reason": "dropped"}, act))

    async def make_pair(self, pair: Mapping[str, object], person: str, reason: str) -> int:
        """Two people may talk."""
        return await self.write(lambda tx: acts.make_pair(tx, self.lane, pair, person, reason))

    async def end_pair(self, number: int, person: str, reason: str) -> None:
        """Two people may no longer talk."""
        await self.write(lambda tx: acts.end_pair(tx, number, person, reason))

    async def propose(self, proposal: Proposal, sources: Sequence[Source]) -> int:
        """A set of policy files is proposed; gives the number of the change."""
        return await self.write(lambda tx: proposals.propose(tx, self.lane, proposal, sources))

    async def approve(self, number: int, approval: Approval, bar: Bar) -> Sequence[str]:
        """Somebody agrees to a change; gives what it still lacks."""
        return await self.write(lambda tx: proposals.approve(tx, self.lane, number, approval, bar))

    async def end_change(self, number: int, person: str, reason: str, step: str) -> None:
        """A change is rejected, or withdrawn."""
        await self.write(lambda tx: proposals.end(tx, self.lane, number, person, reason, step))

    async def schedule(self, number: int, person: str, reason: str, at: int, bar: Bar) -> None:
        """An approved change is to come into force at `at` (milliseconds; 0: now)."""
        await self.write(lambda tx: proposals.schedule(tx, self.lane, number, person, reason, at, bar))

    async def roll_back(self, way: Proposal, ticked: Sequence[str] = ()) -> int:
        """The change before comes into force again; gives its number."""
        return await self.write(lambda tx: proposals.roll_back(tx, self.lane, way, ticked))

    async def lengthen(self, order: Order, numbers: Sequence[int]) -> int:
        """These records are kept longer, as `order` says; gives how many that changed."""
        place = await self.write(lambda tx: terms.write_order(tx, self.lane, order, len(numbers)))
        changed = 0
        for part in chunks(numbers, terms.CHUNK):
            changed += await self.write(partial(terms.carry_out, order=order, place=place, numbers=part))
        return changed

    async def place_hold(self, placing: Placing) -> None:
        """A legal hold covers from now on."""
        await self.write(lambda tx: holds.place(tx, self.lane, placing))

    async def propose_lift(self, name: str, person: str, reason: str) -> None:
        """Somebody wants a legal hold lifted; it stands."""
        await self.write(lambda tx: holds.propose_lift(tx, name, person, reason))

    async def refuse_lift(self, name: str, person: str, reason: str) -> None:
        """A hold that somebody wanted lifted goes on standing."""
        await self.write(lambda tx: holds.refuse_lift(tx, name, person, reason))

    async def lift_hold(self, name: str, person: str, reason: str, legal: Sequence[str]) -> None:
        """A second person agrees to lift a hold."""
        await self.write(lambda tx: holds.lift(tx, name, person, reason, legal))

    async def freeze(self, person: str, reason: str) -> None:
        """Nothing is sent any more, and whatever comes is held."""
        await self.write(lambda tx: proposals.freeze(tx, self.lane, person, reason))

    async def unfreeze(self, person: str, reason: str) -> None:
        """Things go on."""
        await self.write(lambda tx: proposals.unfreeze(tx, self.lane, person, reason))
