"""The official Symphony client, unmodified, works against the mock pod: both supported major versions.

Each version lives in an environment of its own under `.cache` (they pin what the product does not), made from
hashed requirements when it is missing. That is the proof that the mock speaks Symphony and not merely what
our own connector expects.
"""

import asyncio
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from connectors.symphony.mock import SymphonyPod

ROOT = Path(__file__).resolve().parents[2]
CLIENT = Path(__file__).with_name("symphony_bdk_client.py")
VERSIONS = {"bdk3": "3.0.0", "bdk2": "2.11.4"}
BOT, ALICE = "bridge-bot", "alice.wong@bank.example"
INSTALL_SECONDS = 300
CLIENT_SECONDS = 60


def environment(name: str) -> Path:
    """The Python of a client's environment, created from its hashed requirements unless it holds them."""
    place, requirements = ROOT / ".cache" / name, ROOT / "requirements" / f"{name}.txt"
    stamp, wanted = place / "installed.sha256", hashlib.sha256(requirements.read_bytes()).hexdigest()
    python = place / "bin" / "python"
    if not stamp.exists() or stamp.read_text() != wanted:
        uv = Path(sys.executable).with_name("uv")
        make = [uv, "venv", "--quiet", "--clear", "--python", sys.executable, place]
        subprocess.run(make, check=True, timeout=INSTALL_SECONDS)
        wants = ["install", "--quiet", "--require-hashes", "-r", requirements]
        quickly = [uv, "pip", *wants, "--compile-bytecode", "--python", python]
        # uv takes seconds where pip takes half a minute, but it may be pip alone that was told of an index.
        if subprocess.run(quickly, check=False, timeout=INSTALL_SECONDS).returncode:
            pip = [sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check"]
            subprocess.run([*pip, *wants], check=True, timeout=INSTALL_SECONDS)
        stamp.write_text(wanted)
    return python


class Bot:
    """The client script as a process: its task goes in, its steps come out."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.steps: dict[str, dict[str, object]] = {}

    async def until(self, step: str) -> dict[str, object]:
        """Read steps until the one awaited; fails with the script's own words if it ends before."""
        assert self.process.stdout is not None and self.process.stderr is not None
        while step not in self.steps:
            line = await asyncio.wait_for(self.process.stdout.readline(), CLIENT_SECONDS)
            if not line:
                pytest.fail(
                    f"the client ended before {step!r}: {(await self.process.stderr.read()).decode()[-3000:]}"
                )
            told = json.loads(line)
            self.steps[told.pop("step")] = told
        return self.steps[step]


@asynccontextmanager
async def bot_at_work(python: Path, pod: SymphonyPod, url: str) -> AsyncIterator[Bot]:
    """The client script at its task against the pod; it is ended with the block, whatever happens."""
    host, port = url.removeprefix("http://").split(":")
    task = {
        "host": host,
        "port": int(port),
        "username": BOT,
        "privateKey": pod.replace_key(BOT),
        "colleague": ALICE,
    }
    clean = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        str(python), str(CLIENT), env=clean, stdin=pipe, stdout=pipe, stderr=pipe
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(task).encode() + b"\n")
    process.stdin.close()
    try:
        yield Bot(process)
        assert await asyncio.wait_for(process.wait(), CLIENT_SECONDS) == 0
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@pytest.fixture
def pod() -> SymphonyPod:
    """A pod with the bot and one advisor."""
    pod = SymphonyPod(poll_seconds=1.0)
    pod.add_user(BOT, f"{BOT}@bank.example", "Bridge Bot", service=True)
    pod.add_user("alice.wong", ALICE, "Alice Wong")
    return pod


@pytest.fixture(scope="module", params=sorted(VERSIONS))
def client(request: pytest.FixtureRequest) -> Path:
    return environment(request.param)


@pytest.fixture(scope="module", params=sorted(VERSIONS))
def installed(request: pytest.FixtureRequest) -> tuple[Path, str]:
    return environment(request.param), VERSIONS[request.param]


def test_the_environment_holds_the_official_client_in_its_version(installed: tuple[Path, str]) -> None:
    """What is proven is proven for exactly the versions named."""
    python, version = installed
    ask = "from importlib.metadata import version; print(version('symphony-bdk-python'))"
    answer = subprocess.run(
        [str(python), "-c", ask], capture_output=True, text=True, check=True, timeout=CLIENT_SECONDS
    )
    assert answer.stdout.strip() == version


async def test_the_official_client_does_a_bots_work_against_the_mock(client: Path, pod: SymphonyPod) -> None:
    """Login, datafeed loop, room, members, user look-up, message with attachment, history, download.

    Its session ends before it asks for the room: that costs the client a new login, never its work. (One run
    shows both: everything but that one request goes the usual way, the first login too.)
    """
    pod.faults.add("session_expired", route="room.create")
    async with pod.serve() as url, bot_at_work(client, pod, url) as bot:
        stream = str((await bot.until("listening"))["stream"])
        await pod.until_requested("datafeed.read")
        pod.say("alice.wong", stream, "Thank you <all>")
        await bot.until("done")
    alice, robot = pod.user("alice.wong").user_id, pod.user(BOT).user_id
    assert bot.steps["looked up"] == {"user": alice, "name": "Alice Wong"}
    assert bot.steps["members"]["ids"] == sorted((alice, robot))
    assert bot.steps["heard"]["author"] == "alice.wong"
    assert "<p>Thank you &lt;all&gt;</p>" in str(bot.steps["heard"]["text"])
    check_what_was_read_back(pod, bot, stream)
    assert sum(record.route == "login.session" for record in pod.requests) >= 2
    assert [record.status for record in pod.requests if record.route == "room.create"] == [401, 200]


def check_what_was_read_back(pod: SymphonyPod, bot: Bot, stream: str) -> None:
    """The bot saw in the stream what the pod holds there, and the file's bytes came back."""
    read = bot.steps["read back"]
    assert (read["file"], read["same"]) == ("holdings.txt", True)
    assert "Your <b>holdings</b>, 李雷" in str(read["text"])
    first = pod.messages(stream)[0]
    assert first.message_id == bot.steps["sent"]["id"]
    assert first.files[0].size == read["size"]
