"""What every test gets: an environment without our own variables, and telemetry that refuses misworded lines.

Rules of this file: only what nearly all tests need. Everything else is a fixture beside its tests.
"""

from __future__ import annotations

import contextlib
import gc
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bridge import telemetry
from bridge.config import PREFIX

# Many tests start a process of ours, and to compile the house in each takes longer than what most ask of it.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Whoever starts the tests in the background has Ctrl-C ignored: what they start must not inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

#: Where there is room, what tests write lies in memory: it is flushed as the product demands, and no disk has
#: to turn. Programs that tests write there have to run.
MEMORY, ROOM = "/dev/shm", 4 << 30
with contextlib.suppress(OSError):
    runs = os.access(MEMORY, os.W_OK) and not os.statvfs(MEMORY).f_flag & os.ST_NOEXEC
    if runs and shutil.disk_usage(MEMORY).free >= ROOM:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", MEMORY)

#: Files that take longest, longest first. Two workers share them: who begins one of these last, ends last.
LONGEST = (
    "crash/test_kill", "crash/test_server", "crash/test_matrix_postgresql", "crash/test_matrix",
    "faults/test_weixin_faults", "records/test_seven_years", "faults/test_symphony_faults", "test_docs",
    "store/test_verify", "test_cli_bench", "clients/test_symphony_bdk", "test_house", "faults/test_garbage",
    "test_sealed",
)  # fmt: skip


gc.disable()  # until everything is imported: nearly all of it stays


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the longest files begin first; everything else stays in its order."""
    places = {f"tests/{name}.py": place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.nodeid.partition("::")[0], len(places)))


def pytest_collection_finish() -> None:
    """Take what stays out of the collector's sight, now and after each look at everything.

    What thousands of tests leave behind is more than a million things: to look at all of them takes a second,
    every few seconds, in the middle of whatever is being waited for.
    """
    gc.enable()
    gc.collect()
    gc.freeze()
    gc.callbacks.append(_frozen)


def _frozen(phase: str, about: dict[str, int]) -> None:
    if phase == "stop" and about["generation"] == 2:
        gc.freeze()


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of whoever runs the tests leaks into them."""
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def strict_telemetry() -> None:
    """A log line of any level with a key or value outside the vocabulary fails the test that wrote it."""
    telemetry.configure(level="debug", strict=True, to=io.StringIO())


@pytest.fixture(scope="session")
def postgres() -> Iterator[Any]:
    """A PostgreSQL server for as long as the tests of this process last; started by the first to ask."""
    from postgres import server

    with server() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest) -> Iterator[str]:
    """Lets a test run twice: once with its stores in files, once in a server. Gives the engine's name."""
    import rig

    on = rig.on(request.getfixturevalue("postgres")) if request.param == "postgresql" else None
    with on or contextlib.nullcontext():
        yield request.param


@pytest.fixture
def mock_process() -> Callable[..., contextlib.AbstractContextManager[dict[str, Any]]]:
    """`weighbridge mock ...` as a process: what it says about itself. SIGTERM ends it, cleanly."""

    @contextlib.contextmanager
    def running(*arguments: str) -> Iterator[dict[str, Any]]:
        start = "import sys; from bridge.cli import main; sys.argv[0] = 'weighbridge'; main()"
        command = [sys.executable, "-c", start, "mock", *arguments, "--port", "0", "--json"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                yield json.loads(process.stdout.readline())
            finally:
                process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0

    return running
