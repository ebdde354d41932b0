"""`weighbridge doctor`: everything that could keep the bridge from running, looked at once.

Rules of this file: every check answers "ok" or what to do; one failure does not hide the next; nothing is
changed (a file that is tried in a place of checkpoints is taken away again) and nothing secret is printed.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Iterator, Set
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bridge.cli.output import Exit, json_option, listing
from bridge.cli.root import Root, pass_root, reading
from bridge.errors import ConfigError, NetworkError, PolicyError, Unwitnessed, WeighbridgeError

if TYPE_CHECKING:
    from bridge.archivist import Destination
    from bridge.config import Place, Settings
    from bridge.policy import PolicySet
    from bridge.ports import Blobs
    from bridge.store.database import Database

Check = tuple[str, bool, str]

_ACTIVATION = {
    "watch": 'watch: what is saved decides; where two people work, write activation = "approved"',
    "approved": "approved: only what another person approved decides",
}

CLOSED = frozenset({"callback"})
"""What a connector looks at only while it listens, which it does not do here: a daemon may be running."""

PATIENCE = 20.0
"""Seconds that a place of checkpoints may take to answer."""

ENOUGH_DISK = 1 << 30
"""Bytes that should be free where archive and attachments grow."""


@click.command()
@json_option
@click.option("--offline", is_flag=True, help="Leave the two networks out.")
@pass_root
def doctor(root: Root, as_json: bool, offline: bool) -> int:
    """Check settings, secrets, store, policies and both networks; exit code 1 when something is wrong."""
    from bridge import telemetry

    telemetry.configure(level="critical")  # what is found is said below, and once
    checks = list(_checks(root, offline))
    rows = [{"check": what, "ok": ok, "detail": detail} for what, ok, detail in checks]
    marked = rows if as_json else [{**row, "ok": "✓" if row["ok"] else "✗"} for row in rows]
    listing(marked, {"ok": "", "check": "check", "detail": "detail"}, as_json=as_json)
    return Exit.DONE if all(ok for _, ok, _ in checks) else Exit.NO


def _checks(root: Root, offline: bool) -> Iterator[Check]:
    """Everything that can be looked at: what rests on broken settings cannot, and its settings say so."""
    try:
        survey = root.examined()
    except ConfigError as error:
        yield from (("settings", False, problem) for problem in error.problems)
        return
    settings, broken = survey.settings, survey.sections
    yield from (("settings", False, problem) for problem in survey.problems)
    if not survey.problems:
        yield "settings", True, settings.origin
    yield from _rights(settings)
    if "exports" not in broken:
        yield _addresses(settings)
    for section, check in (
        ("policy", _policies),
        ("store", _store),
        ("ledger", _checkpoints),
        ("attachments", _scanner),
    ):
        if section not in broken:
            yield from check(settings)
    if not offline and "store" not in broken:
        if "ledger" not in broken:
            yield from asyncio.run(_witnesses(settings, broken))
        if not broken & {"policy", "archives"}:
            yield from asyncio.run(_archives(settings))
        yield from asyncio.run(_networks(settings, broken))


def _rights(settings: Settings) -> Iterator[Check]:
    for section in (settings.symphony, settings.weixin):
        for name in ("private_key", "secret", "token", "aes_key"):
            secret = getattr(section, name, None)
            if secret is None or secret.file is None or not secret.file.exists():
                continue
            open_to_others = secret.file.stat().st_mode & 0o077
            detail = f"chmod 600 {secret.file}" if open_to_others else str(secret.file)
            yield f"secret {name}", not open_to_others, detail


def _policies(settings: Settings) -> Iterator[Check]:
    from bridge.cli import compose

    try:
        loaded = compose.policies(settings)
    except PolicyError as error:
        yield "policies", False, f"{len(error.problems)} problem(s): run `weighbridge policy check`"
    except ConfigError as error:
        yield "policies", False, str(error)
    else:
        for name, digest in loaded.hashes:
            yield f"policy {name}", True, digest
        yield _retention(loaded)
    yield "activation", True, _ACTIVATION[settings.policy.activation]


def _addresses(settings: Settings) -> Check:
    """Under which domain exports and archives name people without an address: no fault, but known before."""
    domain = settings.exports.address_domain
    made_up = domain.endswith(".invalid")
    detail = (
        f"{domain}: archives sort out what comes from it; set [exports] address_domain to one of the firm's"
    )
    return "addresses of exports", True, detail if made_up else domain


def _retention(loaded: PolicySet) -> Check:
    """Whether a record can be left without an end: that is no fault, but seldom what was meant."""
    from bridge.policy.keeping import is_complete

    if is_complete(one.model for one in loaded.policies):
        return "retention", True, "every record has a class"
    hint = "a `retention` entry without `for`, `direction` and `kind` would end them"
    return "retention", True, f"records that no class fits are kept without an end: {hint}"


def _store(settings: Settings) -> Iterator[Check]:
    from bridge.cli import compose
    from bridge.store.disposal import unfinished
    from bridge.store.engines import doubts, place

    try:
        database = compose.store(settings)
    except WeighbridgeError as error:
        yield "store", False, str(error)
        return
    with database.engine.connect() as db:
        unwise = doubts(db)
        begun = unfinished(db)
    yield "store", True, ": ".join([place(settings.store.url), *filter(None, ["; ".join(unwise)])])
    yield _master_key(database)
    yield from (("disposal", False, str(one)) for one in begun)
    database.close()
    for what, path in (("disk of blobs", settings.store.blobs),):
        free = shutil.disk_usage(path).free
        yield what, free > ENOUGH_DISK, f"{free / 1e9:.1f} GB free"
    yield "rights of blobs", os.access(settings.store.blobs, os.W_OK), str(settings.store.blobs)


def _master_key(database: Database) -> Check:
    """Whether what is sealed can be opened."""
    try:
        return "master key", True, database.unlock()
    except WeighbridgeError as error:
        return "master key", False, str(error)


def _checkpoints(settings: Settings) -> Iterator[Check]:
    """Where checkpoints go: beside the database they prove little to anybody but ourselves."""
    from bridge.cli import compose

    database, begun = _nearest(compose.beside(settings)), _begun(settings)
    for path in compose.anchors(settings):
        yield _folder(path, database, begun=str(path) in begun)
    try:
        compose.signing_key(settings)
    except ConfigError as error:
        yield "checkpoint key", False, str(error)
    else:
        yield "checkpoint key", True, str(settings.ledger.key_file)


def _begun(settings: Settings) -> frozenset[str]:
    """The folders in which checkpoints were left; none when the store cannot be read, which is told above."""
    from bridge.cli import compose
    from bridge.store.checkpoints import has_left

    try:
        with reading(settings) as db:
            return frozenset(str(path) for path in compose.anchors(settings) if has_left(db, str(path)))
    except WeighbridgeError:
        return frozenset()


def _folder(path: Path, database: Path, *, begun: bool) -> Check:
    """Whether a checkpoint could be left in a folder: one is written there, and taken away again."""
    from bridge.store.anchors import AnchorFolder
    from bridge.witnesses.shelf import UNMOUNTED

    try:
        if begun and not AnchorFolder(path).begun():
            return "checkpoints", False, f"{path}: {UNMOUNTED.format(name=path)}"
        detail = AnchorFolder(path).check()
        near = _nearest(path).stat().st_dev == database.stat().st_dev
    except OSError as error:
        remedy = "mount it, give this account the right to write there, or name another in [ledger] anchors"
        return "checkpoints", False, f"{path}: nothing can be written there: {error.strerror}; {remedy}"
    if near:
        detail += ": on the disk of the database; name a place elsewhere in [ledger] anchors"
    return "checkpoints", True, detail


async def _witnesses(settings: Settings, broken: Set[str]) -> list[Check]:
    """Whether checkpoints could be left in the places that are not on this host: each is tried."""
    from bridge.cli import compose

    checks: list[Check] = []
    store = compose.store(settings)
    try:
        for place in compose.places(settings):
            if place.kind != "folder" and place.kind not in broken:
                checks.append(await _witness(settings, place, store.blobs))
    finally:
        store.close()
    return checks


async def _archives(settings: Settings) -> list[Check]:
    """Whether copies could be kept in the archives that the policies name: each is tried."""
    from bridge.cli import compose

    try:
        named = compose.destinations(compose.policies(settings))
    except (ConfigError, PolicyError):
        return []  # said where the policies are looked at
    doubts = [("archives", False, f"{one.name}: {doubt}") for one, doubt in compose.doubts(settings, named)]
    return doubts + [await _archive(settings, one) for one in named]


async def _archive(settings: Settings, destination: Destination) -> Check:
    from bridge.cli import compose

    try:
        async with compose.at_sink(settings, destination) as sink, asyncio.timeout(PATIENCE):
            detail = await sink.check()
    except (ConfigError, NetworkError) as error:
        return "archives", False, f"{destination.name}: {error}"
    except TimeoutError:
        return "archives", False, f"{destination.name} does not answer within {PATIENCE:.0f} s"
    return "archives", True, f"{destination.name}: {destination.to}: {detail}"


async def _witness(settings: Settings, place: Place, blobs: Blobs) -> Check:
    from bridge.cli import compose

    try:
        signer = compose.signing_key(settings)
        async with asyncio.timeout(PATIENCE):
            detail = await compose.witness(settings, place, signer, blobs).check()
    except (ConfigError, Unwitnessed) as error:
        return "checkpoints", False, str(error)
    except TimeoutError:
        return "checkpoints", False, f"{place.name} does not answer within {PATIENCE:.0f} s"
    return "checkpoints", True, f"{place.name}: {detail}"


def _nearest(path: Path) -> Path:
    """The path, or what there is of it."""
    return next(one for one in (path, *path.absolute().parents) if one.exists())


def _scanner(settings: Settings) -> Iterator[Check]:
    address = settings.attachments.clamav
    if not address:
        return
    from bridge.inspection import clamav

    answers = asyncio.run(clamav.ping(address, min(settings.attachments.seconds, 5.0)))
    remedy = f"{address} does not answer: start clamd, or let this account use its socket"
    yield "clamav", answers, address if answers else remedy


async def _networks(settings: Settings, broken: Set[str]) -> list[Check]:
    from bridge.cli import compose

    checks: list[Check] = []
    blobs = compose.store(settings)
    try:
        for name, connect in (
            ("symphony", lambda: compose.symphony(settings, blobs.blobs)),
            ("weixin", lambda: compose.weixin(settings, blobs.blobs, listen=False)),
        ):
            if name in broken:
                continue
            try:
                async with connect() as connector:
                    found = await connector.check()
            except WeighbridgeError as error:
                found = [("signing in", False, str(error))]
            checks += [(f"{name}: {what}", ok, detail) for what, ok, detail in found if what not in CLOSED]
    finally:
        blobs.close()
    return checks
