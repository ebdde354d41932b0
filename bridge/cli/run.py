"""`weighbridge run`: the daemon.

Rules of this file: the outermost line of the process. What is expected becomes a sentence and an exit
code (in `output`); what is not is written to the log by its class and place, never by its text, which may
hold what people wrote, and ends the process for the supervisor to start it again.
"""

from __future__ import annotations

import asyncio
import sys

import click

from bridge.cli.root import Root, pass_root


@click.command()
@pass_root
def run(root: Root) -> None:
    """Run the bridge until SIGTERM: both networks, archive, policy, delivery.

    SIGHUP reads the policies again; a policy with errors changes nothing.
    """
    from bridge import telemetry

    settings = root.unlocked()
    telemetry.configure(level=settings.daemon.log_level, form=settings.daemon.log_format)
    _sooner_loop()
    try:
        asyncio.run(_run(settings))
    except BaseExceptionGroup as group:
        raise _leaf(group) from None


async def _run(settings: object) -> None:
    from bridge.cli import compose

    database = compose.store(settings)
    try:
        await compose.daemon(settings, database).run()
    finally:
        database.close()


def _leaf(error: BaseException) -> BaseException:
    """The first error of a group of groups: what went wrong, without the scaffolding."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, Exception):
        from bridge import telemetry

        telemetry.log().error("daemon:died", code=type(error).__name__, where=telemetry.place(error))
    return error


def _sooner_loop() -> None:
    # uvloop does the same as asyncio's own loop with less work for each message.
    if sys.platform != "win32":
        import uvloop

        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
