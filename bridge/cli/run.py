"""`weighbridge run`: the daemon.

Rules of this file: the outermost line of the process. What is expected becomes a sentence and an exit
code (in `output`); what is not is written to the log by its class and place, never by its text, which may
hold what people wrote, and ends the process for the supervisor to start it again.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import traceback
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from bridge.cli.output import Exit
from bridge.cli.root import Root, pass_root
from bridge.errors import ConfigError, WeighbridgeError

if TYPE_CHECKING:
    from bridge.config import Settings
    from bridge.store.database import Database


@click.command()
@click.option(
    "--new-archive", is_flag=True, help="Begin in an empty store although files of another are here."
)
@pass_root
def run(root: Root, new_archive: bool) -> int:
    """Run the bridge until SIGTERM: both networks, archive, policy, delivery.

    \b
    SIGTERM, SIGINT   finish what is being sent, and leave
    SIGHUP            look at the policy files again (one with errors changes
                      nothing), and try a network that refused our credentials
                      again, with settings and secrets as they are now

    Log lines go to standard error. /readyz and /status on the port of [daemon] http say how it goes.
    """
    from bridge import telemetry

    settings = root.unlocked()
    telemetry.configure(level=settings.daemon.log_level, form=settings.daemon.log_format)
    threading.excepthook = _thread_ended
    sooner()
    try:
        asyncio.run(_run(root, settings, new_archive=new_archive))
    except (BaseExceptionGroup, Exception) as error:
        return _ended_by(error)
    return Exit.DONE


async def _run(root: Root, settings: Settings, *, new_archive: bool) -> None:
    from bridge.cli import compose

    database = compose.store(settings)
    try:
        if not new_archive:
            await _require_no_other(settings, database)
        daemon = compose.daemon(settings, database, reread=root.unlocked)
        # What is loaded by now stays for good. Looking through it for garbage, which a new policy makes
        # the interpreter do, would hold every message up for 50 ms.
        gc.collect()
        gc.freeze()
        await daemon.run()
    finally:
        database.close()


async def _require_no_other(settings: Settings, database: Database) -> None:
    """Raise ConfigError where the store is empty and what lies beside it is not: another archive's."""
    from bridge.cli.compose import anchors
    from bridge.store.anchors import AnchorFolder
    from bridge.store.engines import place
    from bridge.store.views import is_untouched

    if not await database.read(is_untouched):
        return
    found = [f"attachments in {settings.store.blobs}"] if database.blobs.has_any() else []
    found += [f"checkpoints in {path}" for path in anchors(settings) if AnchorFolder(path).has_any()]
    if found:
        raise ConfigError(_OTHER.format(place=place(settings.store.url), found=" and ".join(found)))


_OTHER = (
    "the store {place} is empty, and there are {found}: of another archive, whose database is not there. "
    "Name it as [store] url, or put it back. To begin a new archive, move these folders away, or say "
    "`weighbridge run --new-archive`"
)


def _ended_by(error: BaseException) -> int:
    """Raise what can be explained to a person; log what cannot, and answer what Python answers for a bug."""
    first, *others = _leaves(error)
    bugs = [one for one in (first, *others) if not isinstance(one, WeighbridgeError)]
    if not bugs:
        raise first from None
    for bug in bugs:
        _log_bug(bug)
    return Exit.NO


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """What went wrong, without the groups of groups around it."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


def _log_bug(bug: BaseException) -> None:
    from bridge import telemetry

    log = telemetry.log()
    log.error("daemon:died", code=type(bug).__name__, where=telemetry.place(bug))
    for frame, line in traceback.walk_tb(bug.__traceback__):
        log.error("daemon:stack", where=f"{frame.f_globals.get('__name__', 'unknown')}:{line}")


def _thread_ended(thread: threading.ExceptHookArgs) -> None:
    if thread.exc_value is not None:
        _log_bug(thread.exc_value)


def sooner() -> None:
    """Set this process up for many small turns: a quicker loop, and a lock that changes hands sooner."""
    # The writing thread asks for the interpreter's lock after each step of a statement; while the loop is
    # busy it would wait 5 ms each time, which is most of what a lone message would take.
    sys.setswitchinterval(0.0005)
    # uvloop does the same as asyncio's own loop with less work for each message.
    if sys.platform != "win32":
        import uvloop

        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
