"""The composition root: settings become a store, connectors, policies and a daemon.

Rules of this file: the only place that knows both `connectors` and the concrete store. It decides nothing
else; whatever has a choice has a setting. Imports are made where they are used, for commands that need
only a part.
"""

from __future__ import annotations

import contextlib
import glob
import re
import time
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from bridge.errors import ConfigError

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

    from bridge.archivist import Archivist, Destination
    from bridge.assurance import Assurance
    from bridge.config import Place, Settings
    from bridge.daemon import Daemon
    from bridge.in_force import Judging, Law
    from bridge.indexer import Indexer
    from bridge.inspection.inspector import Inspector
    from bridge.ledger.checkpoint import Signer
    from bridge.message import Blob, Inspection
    from bridge.notary import Notary
    from bridge.pipeline import Inspect, Pace
    from bridge.policy import PolicySet
    from bridge.ports import Blobs, Clock, Connector, KeyKeeper, Lease, Sink, Witness
    from bridge.proposals import Bar
    from bridge.sinks.mail import MailBox
    from bridge.store.database import Database
    from bridge.witnesses.bucket import Bucket
    from bridge.witnesses.room import Look, Post
    from connectors.symphony.client import SymphonyConnector


class WallClock:
    """The time of this machine."""

    def now(self) -> int:
        """Milliseconds since the Unix epoch, UTC."""
        return time.time_ns() // 1_000_000


def store(settings: Settings, clock: Clock | None = None) -> Database:
    """The store, migrated and open. The caller closes it."""
    from bridge.store.database import Database, create

    clock = clock or WallClock()
    keys = keeper(settings)
    create(settings.store.url, clock.now(), settings.store.lanes, keys)
    return Database(settings.store.url, settings.store.blobs, clock, keys)


def keeper(settings: Settings) -> KeyKeeper:
    """Who has the master key."""
    from bridge.keepers import keeper

    return keeper(settings.store.keeper, settings.store.key_file)


def policy_files(settings: Settings) -> list[Path]:
    """The policy files that the settings name, sorted. Raises ConfigError when there is none."""
    paths = sorted({Path(path) for pattern in settings.policy.files for path in glob.glob(pattern)})
    if not paths:
        patterns = ", ".join(settings.policy.files)
        raise ConfigError(f"[policy] files: no file matches {patterns}; without a policy nothing may pass")
    return paths


def policy_folders(settings: Settings) -> tuple[Path, ...]:
    """The folders in which a saved file may be a policy, or a list that one names."""
    parts = [Path(pattern).parts for pattern in settings.policy.files]
    fixed = [tuple(takewhile(lambda part: not glob.has_magic(part), part[:-1])) for part in parts]
    return tuple(sorted({Path(*folder) for folder in fixed}))


def policies(settings: Settings) -> PolicySet:
    """The policies that decide. Raises PolicyError with every problem in every file."""
    from bridge.policy import load

    return load(policy_files(settings))


def law(settings: Settings) -> Law:
    """Where policies come from, and how they come into force."""
    from bridge.in_force import Law
    from bridge.policy import read

    return Law(
        lambda: policies(settings),
        lambda: read(policy_files(settings))[0],
        policy_folders(settings),
        settings.policy.activation,
        bar(settings),
    )


def bar(settings: Settings) -> Bar:
    """How many people, and who, must agree to a change of policy."""
    from bridge.proposals import Bar

    part = settings.policy
    return Bar(part.approvals, part.approvers, part.legal_approvers)


def symphony(settings: Settings, blobs: Blobs, lease: Lease | None = None) -> Connector:
    """The connector to Symphony; `lease` is that of the lane whose permits it is to use."""
    return _symphony(settings, blobs, lease)


def _symphony(settings: Settings, blobs: Blobs, lease: Lease | None = None) -> SymphonyConnector:
    from connectors.symphony.client import SymphonyConnector
    from connectors.symphony.settings import SymphonySettings

    part = settings.symphony
    return SymphonyConnector(
        SymphonySettings(
            pod_url=part.pod_url,
            agent_url=part.agent_url,
            login_url=part.login_url,
            key_manager_url=part.key_manager_url,
            username=part.username,
            private_key=part.private_key.reveal(),
            proxy=part.proxy,
            ca_file=str(part.ca_file or ""),
            max_file_bytes=part.max_file_mb * 1_000_000,
        ),
        blobs,
        lease=lease,
    )


def weixin(settings: Settings, blobs: Blobs, lease: Lease | None = None, *, listen: bool = True) -> Connector:
    """The connector to Weixin customer service; it takes callbacks only when it is to `listen`."""
    from connectors.weixin.kf import WeixinConnector
    from connectors.weixin.settings import WeixinSettings

    part = settings.weixin
    host, port = part.listen
    codes = {"duplicate_errcodes": frozenset(part.duplicate_errcodes)} if part.duplicate_errcodes else {}
    return WeixinConnector(
        WeixinSettings(
            api_url=part.api_url,
            corp_id=part.corp_id,
            secret=part.secret.reveal(),
            callback_token=part.token.reveal() if listen else "",
            callback_aes_key=part.aes_key.reveal() if listen else "",
            listen_host=host,
            listen_port=port,
            callback_path=part.path,
            open_kfids=part.accounts,
            poll_interval=part.poll_seconds,
            media_limit=part.max_file_mb * 1_000_000,
            **codes,
        ),
        blobs,
        lease=lease,
    )


@contextlib.asynccontextmanager
async def networks(settings: Settings, blobs: Blobs) -> AsyncIterator[dict[str, Connector]]:
    """Both networks, signed in, for a command: nothing listens and nothing is received."""
    async with contextlib.AsyncExitStack() as stack:
        both = (symphony(settings, blobs), weixin(settings, blobs, listen=False))
        yield {one.network: await stack.enter_async_context(one) for one in both}


def pace(settings: Settings) -> Pace:
    """How much at once, and how patiently."""
    from bridge.flow import Patience
    from bridge.pipeline import Pace

    part = settings.daemon
    patience = Patience(
        first=int(part.retry_first_seconds * 1000),
        longest=int(part.retry_longest_seconds * 1000),
        tries=part.attempts,
    )
    return Pace(
        batch=part.batch,
        concurrency=part.concurrency,
        max_file_bytes=settings.symphony.max_file_mb * 1_000_000,
        patience=patience,
    )


def inspector(settings: Settings) -> Inspector:
    """What looks into attachments."""
    import asyncio

    from bridge.inspection.bounds import Limits
    from bridge.inspection.inspector import Inspector

    part = settings.attachments
    limits = Limits(part.seconds, part.memory_mb << 20, part.text_characters)
    return Inspector(limits, part.clamav, asyncio.Semaphore(part.at_once))


def inspecting(settings: Settings, database: Database) -> Inspect:
    """Looks into an attachment that the archive holds."""
    one = inspector(settings)

    async def look(blob: Blob) -> Inspection:
        async with database.blobs.in_memory(blob.digest) as path:
            return await one.look(path, blob.name, blob.digest)

    return look


def places(settings: Settings) -> tuple[Place, ...]:
    """Where checkpoints are left: the places of the settings, or a folder beside what the store keeps on
    this host."""
    from bridge.config import Place

    return settings.ledger.anchors or (Place("folder", str(beside(settings).with_name("checkpoints"))),)


def beside(settings: Settings) -> Path:
    """What the store keeps on this host: the database, or the blobs when that is on a server."""
    from sqlalchemy import make_url

    address = make_url(settings.store.url)
    return Path(address.database or "") if address.get_backend_name() == "sqlite" else settings.store.blobs


def anchors(settings: Settings) -> tuple[Path, ...]:
    """The folders among the places of checkpoints."""
    return tuple(Path(place.name) for place in places(settings) if place.kind == "folder")


def notary(settings: Settings, database: Database) -> Notary:
    """What signs checkpoints; its key is made if there is none. Raises ConfigError when that cannot be."""
    from bridge.notary import Notary

    signer = signing_key(settings)
    found = [witness(settings, place, signer, database.blobs) for place in places(settings)]
    return Notary(signer, database, found, settings.ledger.every_seconds)


def witness(settings: Settings, place: Place, signer: Signer, blobs: Blobs) -> Witness:
    """What leaves checkpoints in a place. Raises ConfigError when the settings for it cannot be used."""
    part = settings.ledger
    if place.kind == "rfc3161":
        from bridge.witnesses.authority import TimeStamps

        return TimeStamps(place.name, part.witness_seconds, roots(part.tsa_roots), part.proxy)
    if place.kind == "symphony":
        from bridge.witnesses.room import Room

        return Room(place.name, part.witness_seconds, *_posting(settings, blobs))
    from bridge.store.anchors import AnchorFolder
    from bridge.witnesses.shelf import OnShelf

    if place.kind == "s3":
        return OnShelf(bucket(settings, place), place.name, part.s3_seconds, signer, settings.store.lanes)
    return OnShelf(AnchorFolder(Path(place.name)), place.name, 0.0, signer, settings.store.lanes)


def bucket(settings: Settings, place: Place) -> Bucket:
    """A bucket of checkpoints."""
    from bridge.witnesses.bucket import Bucket, Lock

    part = settings.ledger
    lock = Lock(part.s3_lock.upper(), part.s3_days)
    return Bucket(place.name, lock, endpoint=part.s3_endpoint, proxy=part.proxy)


def roots(path: Path | None) -> list[Certificate]:
    """The certificates that those of time-stamping authorities must lead to. Raises ConfigError."""
    from bridge.ledger.timestamp import roots_in

    try:
        return roots_in(path.read_bytes()) if path else []
    except (OSError, ValueError) as error:
        raise ConfigError(f"ledger.tsa_roots: {path} {error}: write certificates in PEM there") from None


def _posting(settings: Settings, blobs: Blobs) -> tuple[Post, Look]:
    """How to post to Symphony, and to look whether one could: each time with a session of its own, so that a
    witness neither waits for the rooms nor keeps them waiting."""

    async def post(stream: str, key: str, note: str) -> str:
        async with _symphony(settings, blobs) as pod:
            return await pod.post_note(stream, key, note)

    async def look(stream: str) -> str:
        async with _symphony(settings, blobs) as pod:
            return await pod.check_stream(stream)

    return post, look


def indexer(settings: Settings, database: Database) -> Indexer:
    """What keeps the search index near the end of the ledger."""
    from bridge.indexer import Indexer
    from bridge.store.searching import open_index

    return Indexer(database, open_index(database.engine, index_folder(settings)))


def destinations(found: PolicySet | None) -> list[Destination]:
    """The archives outside that these policies name."""
    from bridge.archivist import Destination

    return [
        Destination(
            f"{one.name}/{to.id}",
            to.to,
            to.format,
            to.object_lock or "",
            to.region or "",
            to.approval or "",
            not to.for_,
        )
        for one in (found.policies if found is not None else ())
        for to in one.model.archive
    ]


def doubts(settings: Settings, named: Sequence[Destination]) -> list[tuple[Destination, str]]:
    """Archives that cannot take all that they are to have, by settings and policies alone, with what a person
    does about it."""
    from bridge.records.exports.mime import larger

    part, carried = settings.archives, max(settings.symphony.max_file_mb, settings.weixin.max_file_mb)
    needed = -(-larger(carried * 1_000_000) // 1_000_000)
    small = (
        f"letters of {part.mail_max_mb} MB (`[archives] mail_max_mb`) take no attachments of {carried} "
        f"(`max_file_mb`), which are {needed} in one: raise the one, if the server does, or lower the other"
    )
    mailboxes = (one for one in named if one.to.startswith(("smtp:", "smtps:")))
    found = [(one, small) for one in mailboxes if part.mail_max_mb < needed]
    return found + [(one, told) for one in named if (told := _walled(settings, one))]


def _walled(settings: Settings, one: Destination) -> str:
    """What keeps records of a walled region from an archive that is for everybody's; "" if nothing does."""
    from bridge.records.addresses import may_lie

    walls, given = settings.exports.walls, (rule.rpartition("=")[2] for rule in settings.exports.origins)
    kept_out = [
        origin for origin in dict.fromkeys(given) if not may_lie(origin, walls, one.region, one.approval)
    ]
    if not kept_out or not one.everybodys:
        return ""
    where = f"lies in {one.region}" if one.region else "says no `region`"
    return (
        f"{where}, so no records of {', '.join(kept_out)} are taken there (`[exports] walls`): name its "
        "`region`, or the `approval` by which they may go"
    )


def sink(settings: Settings, destination: Destination) -> Sink:
    """What brings copies to an archive. Raises ConfigError when its address, or the settings for it, cannot
    be used."""
    from bridge.policy.language import ADDRESS

    if not re.fullmatch(ADDRESS, destination.to):  # not told: it may hold a password
        raise ConfigError(
            "its address cannot be used: write s3://BUCKET/PREFIX, smtp://HOST:PORT/ADDRESS, "
            "smtps://HOST:PORT/ADDRESS or file:///FOLDER, without a password"
        )
    parts, part = urlsplit(destination.to), settings.archives
    if destination.lock and parts.scheme != "s3":
        raise ConfigError(f"{destination.to} locks nothing: `object_lock` is for s3:// addresses")
    if parts.scheme == "s3":
        from bridge.sinks.bucket import BucketSink

        where = {"endpoint": part.s3_endpoint, "proxy": part.s3_proxy}
        return BucketSink(destination.name, destination.to.rstrip("/"), destination.lock, **where)
    if parts.scheme in ("smtp", "smtps"):
        from bridge.sinks.mail import MailSink

        return MailSink(destination.name, _mailbox(settings, destination.to))
    from bridge.sinks.drop import DropSink

    return DropSink(destination.name, Path(unquote(parts.path)))


@contextlib.asynccontextmanager
async def at_sink(settings: Settings, destination: Destination) -> AsyncIterator[Sink]:
    """The same for one act, closed behind it. Raises ConfigError as `sink` does."""
    there = sink(settings, destination)
    try:
        yield there
    finally:
        await there.close()


def _mailbox(settings: Settings, address: str) -> MailBox:
    import ssl

    from bridge.sinks.mail import MailBox

    parts, part = urlsplit(address), settings.archives
    if not part.mail_sender:
        raise ConfigError("archives.mail_sender: is needed for letters: the address that they come from")
    try:
        context = ssl.create_default_context(cafile=str(part.mail_ca_file) if part.mail_ca_file else None)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"archives.mail_ca_file: {error}: write certificates in PEM there") from None
    implicit = parts.scheme == "smtps"
    return MailBox(
        parts.hostname or "",
        parts.port or (465 if implicit else 587),
        parts.path.removeprefix("/"),
        part.mail_sender,
        "implicit" if implicit else "starttls",
        context,
        part.mail_max_mb * 1_000_000,
        part.mail_username,
        part.mail_password.reveal() if part.mail_username else "",
    )


def archivist(
    settings: Settings, database: Database, named: Callable[[], Sequence[Destination]]
) -> Archivist:
    """What brings copies to the archives that policies name."""
    from bridge.archivist import Archivist, Pace
    from bridge.store.talks import Naming

    part = settings.archives
    pace = Pace(at_once=part.at_once, late=part.late_seconds, sample=part.check_sample)
    naming = Naming(settings.exports.address_domain, settings.exports.origins)
    return Archivist(database, named, partial(sink, settings), pace, naming, settings.exports.walls)


def assurance(settings: Settings, database: Database, *, resident: bool = True) -> Assurance:
    """What certifies that nothing is missing; only one that is `resident` in a daemon can wait for its canary
    to come back."""
    from bridge.assurance import Assurance, Plan
    from bridge.message import SYMPHONY, WEIXIN
    from bridge.store import signing

    part, signer = settings.assurance, signing_key(settings)
    outside = tuple(folder / "certificates" for folder in anchors(settings))
    plan = Plan(
        part.hour,
        (part.folder or beside(settings).with_name("certificates"), *outside),
        part.lag_alarm_seconds,
        part.lag_stop_seconds,
        part.canary_seconds,
        part.silent_days,
        part.weeks,
    )
    post, _ = _posting(settings, database.blobs)
    plant = partial(post, part.canary_room) if part.canary_room and resident else None
    return Assurance(
        database,
        signer,
        plan,
        dict,
        plant=plant,
        networks=(SYMPHONY, WEIXIN) if resident else (),
        trials=(partial(try_locks, settings),),
        keys=signing.verifiers([signing.public_file(settings.ledger.key_file)]),
    )


async def try_locks(settings: Settings, found: PolicySet | None) -> dict[str, str]:
    """What archives of these policies said that lock what they have and were asked to delete a trial object:
    they have to refuse."""
    locking = [one for one in destinations(found) if one.lock]
    return {f"archive {one.name}": await _try_lock(settings, one) for one in locking}


async def _try_lock(settings: Settings, one: Destination) -> str:
    from bridge.errors import WeighbridgeError
    from bridge.records.canaries import WELL

    try:
        async with at_sink(settings, one) as asked:
            await asked.try_delete()
    except WeighbridgeError as error:
        return str(error)
    return WELL


def index_folder(settings: Settings) -> Path:
    """Where the search index is: beside what the store keeps on this host."""
    from bridge.store.index.months import FOLDER

    return beside(settings).with_name(FOLDER)


def signing_key(settings: Settings) -> Signer:
    """The key of the settings, made if there is none. Raises ConfigError when that cannot be."""
    from bridge.store import signing

    return signing.signing_key(settings.ledger.key_file, settings.store.lanes)


def daemon(
    settings: Settings,
    database: Database,
    connectors: Sequence[Connector] = (),
    reread: Callable[[], Settings] | None = None,
) -> Daemon:
    """The daemon on an open store, with the two networks of the settings unless others are given.

    `reread` gives the settings as they are written now: a network that refused our credentials is tried
    again with those.
    """
    from bridge.daemon import Counting, Daemon
    from bridge.message import SYMPHONY, WEIXIN
    from bridge.pipeline import House

    tools = database.blobs, database.lease
    both = connectors or (symphony(settings, *tools), weixin(settings, *tools))
    languages = {SYMPHONY: settings.symphony.language, WEIXIN: settings.weixin.language}
    house = House(
        database,
        database.clock,
        Counting(),
        pace=pace(settings),
        languages=languages,
        inspect=inspecting(settings, database),
    )
    anew = partial(_anew, reread, *tools) if reread else None
    return Daemon(
        house,
        database,
        both,
        law(settings),
        settings.daemon.http,
        anew,
        notary(settings, database),
        indexer(settings, database),
        assurance(settings, database),
        partial(_archiving, settings, database),
    )


def _archiving(settings: Settings, database: Database, judging: Judging) -> Archivist:
    """The archivist of the policies that decide in a daemon."""
    return archivist(settings, database, lambda: destinations(judging.policies if judging.hashes else None))


def _anew(reread: Callable[[], Settings], blobs: Blobs, lease: Lease, network: str) -> Connector:
    from bridge.message import SYMPHONY, WEIXIN

    return {SYMPHONY: symphony, WEIXIN: weixin}[network](reread(), blobs, lease)
