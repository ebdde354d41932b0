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
from collections.abc import Coroutine, Iterator
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from bridge.cli.output import Exit, cell, cut, json_line, json_option, note, width
from bridge.errors import ConfigError

if TYPE_CHECKING:
    from bridge.cli.play import Check
    from bridge.cli.stage import Stage

Result = TypeVar("Result")

PAUSE = 1.5
"""Seconds between scenes when somebody watches."""

LOUD = ("held", "blocked", "parked", "failed")
"""Outcomes that stand out in the feed."""


@click.command()
@click.option("--script", is_flag=True, help="Play, check every line against what it must be, and leave.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Keep the store here, in a new folder, with a settings file for --config.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65533),
    default=8100,
    show_default=True,
    help="First of three: the bridge's pages, Symphony, Weixin. 0: any.",
)
@click.option("--no-browser", is_flag=True, help="Do not open the two chat windows.")
@json_option
def demo(script: bool, folder: Path | None, port: int, no_browser: bool, as_json: bool) -> int:
    """Play a conversation between Alice (Symphony) and 李雷 (Weixin) through the real bridge.

    The two chat windows are pages you can type into. Everything happens on this machine. Ctrl-C ends it.
    With --script, exit code 1 says that somebody saw what they must not, or missed what they must see.
    """
    from bridge import telemetry
    from bridge.cli.mock import require_free

    telemetry.configure(level="error", form="console")
    with _place(folder) as place:
        if script:
            checks = asyncio.run(_until_told(_scripted(place, as_json)))
            return Exit.INTERRUPTED if checks is None else _verdict(checks)
        ports = (port, port + 1, port + 2) if port else (0, 0, 0)
        require_free("127.0.0.1", *ports)
        asyncio.run(_until_told(_watched(place, ports, browser=not no_browser, as_json=as_json)))
    note("\n  Everything is down again.")
    return Exit.DONE


def policies() -> tuple[str, ...]:
    """The policies that are shipped."""
    from bridge.cli.init import policy_source

    return (str(policy_source() / "*.yaml"),)


@contextlib.contextmanager
def _place(folder: Path | None) -> Iterator[Path]:
    """Where the store is: in `folder`, or in one that is gone afterwards."""
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="weighbridge-demo-") as made:
            yield Path(made)
    elif folder.exists() and any(folder.iterdir()):
        raise ConfigError(f"{folder} is not empty: the demo's people are new each time, as is their store")
    else:
        folder.mkdir(parents=True, exist_ok=True)
        yield folder.absolute()


def _write_settings(place: Path, on_stage: Stage) -> None:
    """A settings file beside the store, so that every command that asks no network works there, as long as
    the folder does. The networks in it end with the demo, and their secrets are written nowhere."""
    from bridge.config import sample

    used = on_stage.settings
    values = {
        "store.url": "sqlite:///weighbridge.db",
        "store.blobs": "blobs",
        "store.key_file": "secrets/store-key",
        "ledger.key_file": "checkpoint-key",
        "policy.files": list(used.policy.files),
        "symphony.pod_url": used.symphony.pod_url,
        "symphony.username": used.symphony.username,
        "weixin.api_url": used.weixin.api_url,
        "weixin.corp_id": used.weixin.corp_id,
        "daemon.http": ("127.0.0.1", on_stage.daemon.bound_port),
    }
    (place / "weighbridge.toml").write_text(sample(values), encoding="utf-8")


async def _until_told(doing: Coroutine[Any, Any, Result]) -> Result | None:
    """What `doing` answers; None when Ctrl-C or SIGTERM came first, and ended it in order."""
    told = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    work, telling = asyncio.create_task(doing), asyncio.create_task(told.wait())
    await asyncio.wait([work, telling], return_when=asyncio.FIRST_COMPLETED)
    telling.cancel()
    if told.is_set():
        work.cancel()
    await asyncio.wait([work])
    return None if work.cancelled() else work.result()


# --- scripted -------------------------------------------------------------------------------------------


async def _scripted(place: Path, as_json: bool) -> list[Check]:
    from bridge.cli import stage
    from bridge.cli.play import Play, perform

    async with stage.set_up(place, policies()) as on_stage:
        _write_settings(place, on_stage)
        play = Play(on_stage, _show_json if as_json else _show)
        await perform(play)
    return play.checks


def _show_json(check: Check) -> None:
    json_line(asdict(check))


def _show(check: Check) -> None:
    mark = "✓" if check.ok else "✗"
    sees = cut(cell(check.sees.replace("\n", " ⏎ ")), 60)
    click.echo(f"{mark} {padded(check.scene, 34)}{padded(check.who, 10)}sees  {padded(sees, 62)}"
               f"{padded(check.outcome, 16)}{check.ms:>5} ms")  # fmt: skip


def _verdict(checks: list[Check]) -> Exit:
    failed = sum(not check.ok for check in checks)
    note(f"{len(checks) - failed} passed, {failed} failed")
    return Exit.NO if failed or not checks else Exit.DONE


def padded(text: str, cells: int) -> str:
    """`text`, filled with blanks to `cells` terminal cells."""
    return text + " " * max(0, cells - width(text))


# --- watched --------------------------------------------------------------------------------------------


async def _watched(place: Path, ports: tuple[int, int, int], *, browser: bool, as_json: bool) -> None:
    from bridge.cli import stage
    from bridge.store import views

    pages, symphony, weixin = ports
    async with stage.set_up(place, policies(), (symphony, weixin, pages)) as on_stage:
        _write_settings(place, on_stage)
        _introduce(on_stage, browser)
        start = await on_stage.database.read(views.feed_end)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_print_feed(on_stage, start, as_json))
            tasks.create_task(_play(on_stage))


async def _play(on_stage: Stage) -> None:
    from bridge.cli.play import Play, perform

    play = Play(on_stage, _complain)
    await perform(play, before=lambda: asyncio.sleep(PAUSE))
    failed = sum(not check.ok for check in play.checks)
    how = f", and {failed} of {len(play.checks)} checks failed" if failed else ""
    note(f"  The play is over{how}. Type in either window; Ctrl-C ends.")


def _complain(check: Check) -> None:
    """Say what somebody should have seen and did not, or saw and should not have."""
    if not check.ok:
        sees = cut(cell(check.sees.replace("\n", " ⏎ ")), 60)
        note(f"  ✗ {check.scene}: {check.who} should see {sees} ({check.outcome}), and does not")


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


async def _print_feed(on_stage: Stage, position: int, as_json: bool) -> None:
    from bridge.store import views

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
