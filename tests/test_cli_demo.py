"""`weighbridge demo`: it passes on a bridge that works, fails on one that does not, leaves nothing."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import aiohttp
import nursery
import pytest
from daemon_rig import DEADLINE, ROOT, START, within
from story import Terminal

from bridge.cli import demo as demo_module
from bridge.cli import output, play, weighbridge
from bridge.cli.init import policy_source
from bridge.cli.output import Exit

Demo = Callable[..., tuple[int, str, str]]
KEYS = {"scene", "who", "sees", "outcome", "ok", "ms"}
SPOILED = "from bridge.cli import demo, play; play.DEADLINE = 1.0; demo.PAUSE = 0.0; "
WITHOUT_MASKS = SPOILED + "demo.policies = lambda: (str(demo.Path('policies/hk-equities.yaml')),); "
DEAD_DAEMON = SPOILED + (
    "from connectors.weixin.kf import WeixinConnector\n"
    "async def send(self, permit, traffic): raise RuntimeError('spoiled')\n"
    "WeixinConnector.send = send\n"
)


@pytest.fixture
def demo(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Demo:
    """Run the command in this process, with temporary files in a place of their own: code and outputs."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()

    def call(*options: str) -> tuple[int, str, str]:
        code = output.guarded(lambda: weighbridge.main(["demo", *options], standalone_mode=False))
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


# --- scripted -------------------------------------------------------------------------------------------


def test_the_script_passes_and_leaves_nothing(demo: Demo, tmp_path: Path) -> None:
    """Every line of the conversation is as it must be: one JSON object each, exit 0, no file left over."""
    code, out, err = demo("--script", "--json")
    checks = [json.loads(line) for line in out.splitlines()]
    assert code == Exit.DONE, out
    assert all(set(check) == KEYS and check["ok"] is True for check in checks)
    assert list(dict.fromkeys(check["scene"] for check in checks)) == [title for title, _ in play.SCENES]
    assert {check["who"] for check in checks} == {"Alice", "李雷", "reviewer"}
    assert err == f"{len(checks)} passed, 0 failed\n"
    assert not left_over(tmp_path / "temporary", "weighbridge-demo-*")  # the mocks' go with the process


def test_a_bridge_that_does_not_mask_fails(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the rules that mask and block, the script says which lines are wrong, and exits with 1."""
    weak = (str(policy_source() / "hk-equities.yaml"),)
    monkeypatch.setattr(demo_module, "policies", lambda: weak)
    monkeypatch.setattr(play, "DEADLINE", 2.0)
    code, out, err = demo("--script", "--json")
    failed = {check["sees"] for check in map(json.loads, out.splitlines()) if not check["ok"]}
    assert code == Exit.NO
    assert "nothing of “4111 1111 1111”" in failed
    assert "nothing of “私人微信”" in failed
    assert err.endswith(" failed\n") and " 0 failed" not in err


def test_a_message_that_is_never_held_fails_and_does_not_hang(
    demo: Demo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reviewer waits like everybody else: on a deadline."""
    weak = (str(policy_source() / "firm-wide.yaml"),)
    held = [(title, scene) for title, scene in play.SCENES if "held" in title]
    monkeypatch.setattr(demo_module, "policies", lambda: weak)
    monkeypatch.setattr(play, "DEADLINE", 1.0)
    monkeypatch.setattr(play, "SCENES", (play.SCENES[0], *held))
    code, out, _ = demo("--script")
    assert code == Exit.NO
    assert re.search(r"^✗ a message is held, and released +reviewer +sees +明日有公告", out, re.MULTILINE)
    assert out.startswith("✓ text both ways")


def test_a_play_that_checks_nothing_proves_nothing(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    """No check at all is no success."""
    monkeypatch.setattr(play, "SCENES", ())
    assert demo("--script")[0] == Exit.NO


def test_the_store_is_kept_where_asked(demo: Demo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--folder` keeps the store; a folder with something in it is refused, untouched."""
    monkeypatch.setattr(play, "SCENES", play.SCENES[:1])
    kept = tmp_path / "kept"
    assert demo("--script", "--folder", str(kept))[0] == Exit.DONE
    before = (kept / "weighbridge.db").read_bytes()
    code, _, err = demo("--script", "--folder", str(kept))
    assert code == Exit.WRONG and "is not empty" in err
    assert (kept / "weighbridge.db").read_bytes() == before


def test_every_command_works_on_what_was_kept(
    demo: Demo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The folder has a settings file: with --config, from anywhere."""
    monkeypatch.setattr(play, "SCENES", play.SCENES[:1])
    kept = tmp_path / "kept"
    assert demo("--script", "--folder", str(kept))[0] == Exit.DONE
    config = str(kept / "weighbridge.toml")
    for words in ("audit verify", "audit search", "people list", "store status"):
        arguments = ["--config", config, *words.split()]
        command = partial(weighbridge.main, arguments, standalone_mode=False)
        assert output.guarded(command) == Exit.DONE, words
    assert "Alice Wong" in capsys.readouterr().out


def test_what_the_demo_recorded_comes_out_the_same(
    demo: Demo, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every verdict of the script is decided again from the record: not one comes out differently."""
    assert demo("--script", "--folder", str(tmp_path / "kept"))[0] == Exit.DONE
    answer = Terminal(tmp_path / "kept", capsys).type("audit", "replay", "--json")
    (total,) = answer.records
    assert (answer.code, total["different"], total["not replayable"]) == (Exit.DONE, 0, 0)
    assert total["identical"] >= 10


def test_taken_ports_are_all_named(demo: Demo) -> None:
    """Somebody else listens: exit 2 with the port, the reason and the option, and no traceback."""
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        door.listen()
        port = door.getsockname()[1]
        code, _, err = demo("--port", str(port - 1), "--no-browser")
    assert code == Exit.WRONG
    assert f"127.0.0.1:{port} cannot be listened on (address already in use)" in err and "--port 0" in err


def test_the_policies_are_those_that_are_shipped() -> None:
    """From the checkout or from beside the installed package: where `init` takes them, too."""
    (pattern,) = demo_module.policies()
    assert Path(pattern).parent == policy_source()


# --- watched --------------------------------------------------------------------------------------------


@dataclass
class Watched:
    """The demo as a process that somebody watches."""

    process: nursery.Child
    out: list[str] = field(default_factory=list)
    err: list[str] = field(default_factory=list)
    readers: list[asyncio.Task[None]] = field(default_factory=list)

    async def read(self, stream: asyncio.StreamReader, into: list[str]) -> None:
        """Keep what is said."""
        async for line in stream:
            into.append(line.decode())

    async def says(self, words: str) -> str:
        """The first line with `words` in it, once it is there. Raises AssertionError if the demo ends."""
        done = lambda: all(reader.done() for reader in self.readers)  # noqa: E731
        find = lambda: next((line for line in [*self.out, *self.err] if words in line), "")  # noqa: E731
        await within(3 * DEADLINE, lambda: find() or done())
        assert find(), f"ended without {words}: {''.join([*self.out, *self.err])}"
        return find()

    async def ended(self) -> int:
        """The exit code, once everything was read."""
        async with asyncio.timeout(DEADLINE):
            code = await self.process.wait()
            await asyncio.gather(*self.readers)
        return code


@contextlib.asynccontextmanager
async def watched(tmp_path: Path, spoiled: str, *options: str) -> AsyncIterator[Watched]:
    """`weighbridge demo --port 0`, with Python to run first; killed at the end if it still runs."""
    code, arguments = f"{START}{spoiled}\nmain()", ["demo", "--port", "0", *options]
    process = await nursery.fork(code, arguments, {**os.environ, "TMPDIR": str(tmp_path)}, str(ROOT))
    watching = Watched(process)
    streams = ((process.stdout, watching.out), (process.stderr, watching.err))
    watching.readers = [asyncio.create_task(watching.read(*both)) for both in streams]
    try:
        yield watching
    finally:
        if process.returncode is None:
            process.kill()
        await watching.ended()


def left_over(folder: Path, pattern: str = "*") -> list[Path]:
    """What is in a folder that should be empty."""
    return list(folder.glob(pattern))


async def answers(url: str) -> bool:
    """Whether somebody is there."""
    async with aiohttp.ClientSession() as web:
        try:
            async with web.get(url) as answer:
                return answer.status < 500
        except aiohttp.ClientConnectionError:
            return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
async def test_the_watched_demo_tells_and_ends_in_order(tmp_path: Path, number: signal.Signals) -> None:
    """Windows open, a feed tells who told whom what with which outcome; then exit 0, ports and files gone."""
    async with watched(tmp_path, SPOILED.replace("1.0", "30.0"), "--no-browser") as demo:
        windows = [re.search(r"http\S+", await demo.says(words))[0] for words in ("(Symphony)", "(Weixin)")]
        assert [await answers(url) for url in windows] == [True, True]
        line = await demo.says("**** **** **** 1111")
        time, ms = r"\d\d:\d\d:\d\d", r"\d+ ms"
        feed = rf"  {time}  Alice Wong → 李雷 +Your card \*.* is registered\. +redacted +{ms}\n"
        assert re.fullmatch(feed, line)
        assert "HELD" in await demo.says("騰訊 (0700) 明日有公告")
        demo.process.send_signal(number)
        assert await demo.ended() == Exit.DONE
        assert [await answers(url) for url in windows] == [False, False]
    assert demo.err[-1] == "  Everything is down again.\n"
    assert "Traceback" not in "".join(demo.err)
    assert left_over(tmp_path) == []


async def test_the_watched_demo_says_what_went_wrong(tmp_path: Path) -> None:
    """A line that is not as it must be is named when it is missed, and counted at the end of the play."""
    async with watched(tmp_path, WITHOUT_MASKS, "--no-browser") as demo:
        missed = await demo.says("✗ a number is masked")
        assert "李雷 should see" in missed
        assert "checks failed. Type in either window" in await demo.says("The play is over")


async def test_a_daemon_that_dies_ends_the_demo(tmp_path: Path) -> None:
    """Nobody watches a dead bridge: the demo ends by itself with the error, and leaves nothing behind."""
    async with watched(tmp_path, DEAD_DAEMON, "--no-browser") as demo:
        assert await demo.ended() == 1
    assert "RuntimeError: spoiled" in "".join(demo.err)
    assert left_over(tmp_path) == []


async def test_ctrl_c_ends_the_script(tmp_path: Path) -> None:
    """Whoever interrupts the script gets neither a success nor a failure: 130."""
    async with watched(tmp_path, "", "--script") as demo:
        await demo.says("text both ways")
        demo.process.send_signal(signal.SIGINT)
        assert await demo.ended() == Exit.INTERRUPTED
    assert left_over(tmp_path) == []
