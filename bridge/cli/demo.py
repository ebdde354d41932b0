"""`weighbridge demo`: both networks and the bridge on this machine, with a conversation to watch.

Rules of this file: presentation only. What is played stands in `play`, where it is played in `stage`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import tempfile
import webbrowser
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bridge.cli.output import Exit, cell, cut, json_line, json_option, note, width

if TYPE_CHECKING:
    from bridge.cli.play import Check, Play
    from bridge.cli.stage import Stage

PAUSE = 1.5
"""Seconds between scenes when somebody watches."""

LOUD = ("held", "blocked", "parked", "failed")
"""Outcomes that stand out in the feed."""


@click.command()
@click.option("--script", is_flag=True, help="Play, check every line against what it must be, and leave.")
@click.option("--folder", type=click.Path(path_type=Path, file_okay=False), help="Keep the store here.")
@click.option(
    "--port",
    default=8100,
    show_default=True,
    help="First of three: the bridge's pages, Symphony, Weixin. 0: any.",
)
@click.option("--no-browser", is_flag=True, help="Do not open the two chat windows.")
@json_option
def demo(script: bool, folder: Path | None, port: int, no_browser: bool, as_json: bool) -> int:
    """Play a conversation between Alice (Symphony) and 李雷 (Weixin) through the real bridge.

    The two chat windows are pages you can type into. Everything happens on this machine. Ctrl-C ends it.
    """
    from bridge import telemetry

    telemetry.configure(level="error", form="console")
    with contextlib.ExitStack() as stack:
        place = folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="weighbridge-demo-")))
        place.mkdir(parents=True, exist_ok=True)
        if script:
            checks = asyncio.run(_scripted(place, as_json))
            return Exit.DONE if checks and all(check.ok for check in checks) else Exit.NO
        asyncio.run(_watched(place, port, browser=not no_browser, as_json=as_json))
    return Exit.DONE


def policies() -> tuple[str, ...]:
    """The policies that are shipped."""
    return (str(Path(__file__).parents[2] / "policies" / "*.yaml"),)


# --- scripted -------------------------------------------------------------------------------------------


async def _scripted(place: Path, as_json: bool) -> list[Check]:
    from bridge.cli import stage
    from bridge.cli.play import Play, perform

    async with stage.set_up(place, policies()) as on_stage:
        play = Play(on_stage)
        printing = asyncio.create_task(_print_checks(play, as_json))
        await perform(play)
        printing.cancel()
    failed = [check for check in play.checks if not check.ok]
    note(f"{len(play.checks) - len(failed)} passed, {len(failed)} failed")
    return play.checks


async def _print_checks(play: object, as_json: bool) -> None:
    shown = 0
    try:
        while True:
            shown = _show(play.checks, shown, as_json)
            await asyncio.sleep(0.02)
    except asyncio.CancelledError:
        _show(play.checks, shown, as_json)


def _show(checks: list[Check], shown: int, as_json: bool) -> int:
    for check in checks[shown:]:
        if as_json:
            json_line(asdict(check))
            continue
        mark = "✓" if check.ok else "✗"
        sees = cut(cell(check.sees.replace("\n", " ⏎ ")), 60)
        click.echo(f"{mark} {padded(check.scene, 34)}{padded(check.who, 7)}sees  {padded(sees, 62)}"
                   f"{padded(check.outcome, 16)}{check.ms:>5} ms")  # fmt: skip
    return len(checks)


def padded(text: str, cells: int) -> str:
    """`text`, filled with blanks to `cells` terminal cells."""
    return text + " " * max(0, cells - width(text))


# --- watched --------------------------------------------------------------------------------------------


async def _watched(place: Path, port: int, *, browser: bool, as_json: bool) -> None:
    from bridge.cli import stage
    from bridge.cli.play import Play, perform

    ports = (port + 1, port + 2, port) if port else (0, 0, 0)
    async with stage.set_up(place, policies(), ports) as on_stage:
        _introduce(on_stage, browser)
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        async with asyncio.TaskGroup() as tasks:
            going = [
                tasks.create_task(_print_feed(on_stage, as_json)),
                tasks.create_task(_play(Play(on_stage), perform)),
            ]
            await stop.wait()
            for task in going:
                task.cancel()
    note("\n  Everything is down again.")


async def _play(play: Play, perform: Callable[..., Awaitable[None]]) -> None:
    await perform(play, before=lambda: asyncio.sleep(PAUSE))
    note("  The play is over. Type in either window; Ctrl-C ends.")


def _introduce(on_stage: Stage, browser: bool) -> None:
    pages = on_stage.daemon.bound_port
    for line in (
        f"  ✓ store      {on_stage.settings.store.url}",
        f"  ✓ policies   {', '.join(name for name, _ in on_stage.daemon.judging.policies.hashes)}",
        f"  ✓ bridge     http://127.0.0.1:{pages}/status   /healthz   /readyz   /metrics",
        f"  ✓ Alice      {on_stage.symphony_chat}   (Symphony)",
        f"  ✓ 李雷       {on_stage.weixin_chat}   (Weixin)",
        "  Alice and 李雷 are talking now. Open both windows and join in; Ctrl-C ends.",
        "",
    ):
        note(line)
    if browser and (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        webbrowser.open(on_stage.symphony_chat)
        webbrowser.open(on_stage.weixin_chat)


async def _print_feed(on_stage: Stage, as_json: bool) -> None:
    from bridge.store import views

    position = views.FEED_START
    while True:
        position, lines = await on_stage.database.read(lambda db, at=position: views.feed(db, at))
        for line in lines:
            if as_json:
                json_line(line)
            else:
                click.echo(_feed_line(line))
        await asyncio.sleep(0.05)


def _feed_line(line: dict[str, Any]) -> str:
    time = datetime.fromtimestamp(line["at"] / 1000).astimezone().strftime("%H:%M:%S")
    people = padded(f"{line['sender']} → {line['recipient']}", 26)
    said = " ".join([line["text"], *(f"[{name}]" for name in line["files"])]).strip()
    text = padded(cut(cell(said.replace("\n", " ⏎ ")), 60), 62)
    outcome = line["outcome"].upper() if line["outcome"] in LOUD else line["outcome"]
    return f"  {time}  {people}{text}{padded(outcome, 11)}{line['ms']:>6} ms"
