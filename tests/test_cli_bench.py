"""The bench of the relay: a small one is run whole, and a system that misbehaves is not measured but refused.

Rules of this file: no figure is compared with another; how fast a machine is, is not a property of the code.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bridge.cli.bench import bench, node, relay, traffic
from bridge.cli.bench.relay import BARE, BRIDGE, growth, percentile, summary
from bridge.cli.bench.traffic import Arrival, BenchFailed, Networks, Pressure, carry, checked, text_of
from bridge.message import SYMPHONY, WEIXIN, Batch, Kind, Message, Permit, Receipt, Traffic

MESSAGES = 60
FEW = ["relay", "--json", "--conversations", "5"]
SMALL = [*FEW, "--messages", str(MESSAGES), "--rounds", "1", "--seconds", "0.2"]
DIRECTIONS = ("to_symphony", "to_weixin")
MEASURES = {
    "kind", "system", "direction", "messages", "per_second", "p50_ms", "p99_ms", "cpu_us", "cpu_share",
    "networks_cpu_share", "others_cpu_share", "rss_start_mb", "rss_end_mb",
}  # fmt: skip


def run(arguments: list[str], folder: Path) -> list[dict[str, Any]]:
    """The rows that the command prints."""
    result = CliRunner().invoke(bench, [*arguments, "--folder", str(folder)], catch_exceptions=False)
    assert result.exit_code == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


# --- the whole --------------------------------------------------------------------------------------------


def test_a_small_run_measures_everything_once(tmp_path: Path) -> None:
    """Bridge and bare relay carry every message each way, and the figures come as one object per line.

    That each message arrived once, unchanged and in order is checked by the bench itself, which would have
    failed. Nothing is left behind: no file, and this process may run on every core it could before.
    """
    cores = os.sched_getaffinity(0)
    rows = run(SMALL, tmp_path)
    assert [row["kind"] for row in rows] == ["machine", "commits", *["full"] * 4, *["tenth"] * 4, "summary"]
    for kind, extra in (("full", {"round"}), ("tenth", set())):
        of_kind = [row for row in rows if row["kind"] == kind]
        order = [(row["system"], row["direction"]) for row in of_kind]
        assert order == [(system, way) for system in (BRIDGE, BARE) for way in DIRECTIONS]
        assert all(row.keys() == MEASURES | extra for row in of_kind)
        assert all(0 < row["p50_ms"] <= row["p99_ms"] and row["per_second"] > 0 for row in of_kind)
    assert {row["messages"] for row in rows if row["kind"] == "full"} == {MESSAGES}
    last = rows[-1]
    assert last == summary(rows)
    for way in (last[name] for name in DIRECTIONS):
        assert way["ratio"] == pytest.approx(way["per_second"] / way["bare_per_second"], abs=1e-3)
    assert last["commits"]["transactions_per_second"] > 0
    assert list(tmp_path.iterdir()) == []
    assert os.sched_getaffinity(0) == cores


def test_a_long_run_looks_at_the_memory(tmp_path: Path) -> None:
    """`--memory` carries that many messages and says what the process held on the way."""
    rows = run([*FEW, "--memory", "100"], tmp_path)
    samples = [row for row in rows if row["kind"] == "memory"]
    assert [row["messages"] for row in samples] == list(range(5, 101, 5))
    assert rows[-1] == growth([row["rss_mb"] for row in samples], 100)


def test_a_run_that_is_told_to_stop_leaves_nothing_behind(tmp_path: Path) -> None:
    """SIGTERM in the middle ends the measured process, too, and removes the store."""
    start = "import sys; from bridge.cli import main; sys.argv[0] = 'weighbridge'; main()"
    command = [sys.executable, "-c", start, "bench", *SMALL, "--folder", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as running:
        assert running.stdout is not None
        for line in running.stdout:
            if json.loads(line)["kind"] == "full":
                break
        measured = children(running.pid)
        running.send_signal(signal.SIGTERM)
        assert running.wait(60) == 130
    assert measured
    assert not [pid for pid in measured if Path(f"/proc/{pid}").exists()]
    assert list(tmp_path.iterdir()) == []


def children(pid: int) -> list[str]:
    """Processes that `pid` has started and that still run."""
    return Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()


def test_people_get_tables(capsys: pytest.CaptureFixture[str]) -> None:
    """Without --json the rows become tables at the end, and progress goes to standard error."""
    from bridge.cli.bench.commands import Telling

    telling = Telling(as_json=False)
    for row in ROWS:
        telling.row(row)
    telling.row(summary(ROWS))
    assert capsys.readouterr().out == ""
    telling.end()
    shown = capsys.readouterr().out
    assert "commits/s, 1 row" in shown and "added p50 ms" in shown
    assert any(line.split()[:4] == ["to_weixin", "50.0", "100.0", "0.5"] for line in shown.splitlines())


# --- traffic ----------------------------------------------------------------------------------------------


def test_messages_are_of_their_size_and_tell_their_number() -> None:
    """Texts differ, hold both scripts, and have 200 characters."""
    texts = [text_of(number) for number in range(300)]
    assert {len(text) for text in texts} <= {199, 200}
    assert len(set(texts)) == 300
    assert all(text.startswith(f"#{number:08d} ") for number, text in enumerate(texts))
    assert all("我们" in text or "组合" in text or "谢谢" in text for text in texts)


def arrivals(*numbers: int) -> Iterator[Arrival]:
    """These messages, in one conversation, each a nanosecond after the one before."""
    return (Arrival("room", at, f"李雷: {text_of(number)}") for at, number in enumerate(numbers))


def test_what_arrived_once_and_in_order_is_timed() -> None:
    """Each number with its time."""
    assert checked(arrivals(5, 6, 7), range(5, 8)) == {5: 0, 6: 1, 7: 2}


@pytest.mark.parametrize(
    ("numbers", "why"),
    [
        ((5, 6), "1 of 3 messages did not arrive"),
        ((5, 6, 6, 7), "message 6 arrived twice or late"),
        ((5, 7, 6), "message 6 arrived twice or late"),
        ((5, 6, 7, 8), "nobody wrote"),
    ],
    ids=["lost", "doubled", "out of order", "foreign"],
)
def test_a_system_that_misbehaves_is_not_measured(numbers: tuple[int, ...], why: str) -> None:
    """A lost, doubled, overtaken or invented message fails the bench: its figures would mean nothing."""
    with pytest.raises(BenchFailed, match=why):
        checked(arrivals(*numbers), range(5, 8))


def test_a_changed_message_is_not_measured() -> None:
    """A text that is not what was written fails the bench, even with the right number."""
    with pytest.raises(BenchFailed, match="nobody wrote"):
        checked([Arrival("room", 1, text_of(5).replace("a", "*"))], [5])


class Scripted:
    """A way on which each message arrives when the next look is taken, or never."""

    name = "scripted"

    def __init__(self, *, loses: bool = False) -> None:
        self.loses = loses
        self.written: list[int] = []
        self.most_under_way = 0
        self.seen = 0

    def write(self, number: int) -> int:
        """Take a message."""
        self.written.append(number)
        self.most_under_way = max(self.most_under_way, len(self.written) - self.seen)
        return time.monotonic_ns()

    def arrived(self) -> int:
        """All that were written before."""
        self.seen = 0 if self.loses else len(self.written)
        return self.seen

    def arrivals(self) -> Iterator[Arrival]:
        """One after the other."""
        return (Arrival("room", time.monotonic_ns(), text_of(number)) for number in self.written)


async def test_full_load_keeps_a_window_of_messages_under_way() -> None:
    """Never more than the window, and all are written in order."""
    way = Scripted()
    accepted = await carry(way, range(100), Pressure(window=10))
    assert way.most_under_way == 10
    assert way.written == list(range(100)) == list(accepted)


async def test_a_rate_is_kept() -> None:
    """At 200 a second, 21 messages take a tenth of a second and no less."""
    started = time.monotonic()
    await carry(Scripted(), range(21), Pressure(rate=200.0))
    assert time.monotonic() - started >= 0.1


async def test_a_standstill_ends_the_bench(monkeypatch: pytest.MonkeyPatch) -> None:
    """When nothing arrives any more, the bench says so instead of waiting for ever."""
    monkeypatch.setattr(traffic, "PATIENCE", 0.05)
    with pytest.raises(BenchFailed, match=r"scripted: nothing arrived .* 0 of 3"):
        await carry(Scripted(loses=True), range(3), Pressure(window=3))


async def test_the_measured_process_ends_with_whoever_started_it(tmp_path: Path) -> None:
    """When standard input ends, because the bench was killed, the process leaves as if told to."""
    networks = Networks(2)
    async with networks.serve():
        networks.write_settings(tmp_path)
        (tmp_path / node.ROUTES).write_text("{}", encoding="utf-8")
        async with relay.started(BARE, tmp_path, None) as measured:
            await measured.told()
            assert measured.process.stdin is not None
            measured.process.stdin.close()
            assert await asyncio.wait_for(measured.process.wait(), 60) == 0


async def test_a_process_that_dies_ends_the_bench(tmp_path: Path) -> None:
    """The bench does not wait for a process that is gone, and repeats its last words."""
    with pytest.raises(BenchFailed, match=r"the measured process ended.*weighbridge\.toml"):
        async with relay.started(BARE, tmp_path, None) as measured:
            await measured.told()


# --- the bare relay ---------------------------------------------------------------------------------------


class Line:
    """A network that gives one batch, and takes messages slowly."""

    def __init__(self, network: str, messages: tuple[Message, ...] = ()) -> None:
        self.network = network
        self.batch = Batch(network, messages)
        self.sent: list[tuple[str, str]] = []
        self.under_way = self.most_under_way = 0
        self.full = asyncio.Event()

    async def receive(self, _: object) -> Any:
        """Everything at once, then nothing more."""
        yield self.batch
        await asyncio.Event().wait()

    async def acknowledge(self, batch: Batch) -> None:
        """Taken."""

    async def send(self, permit: Permit, traffic: Traffic) -> Receipt:
        """Take a message after others had their turn."""
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        for _ in range(3):
            await asyncio.sleep(0)
        self.under_way -= 1
        self.sent.append((permit.conversation, permit.content.text))
        if len(self.sent) == 12:
            self.full.set()
        return Receipt((permit.id,))


async def test_the_bare_relay_keeps_order_and_runs_conversations_side_by_side() -> None:
    """The control keeps order and concurrency as the bridge does; what is no message stays behind."""
    rooms = [f"room-{number % 4}" for number in range(12)]
    said = tuple(
        Message(SYMPHONY, str(number), room, "1", 0, text=str(number)) for number, room in enumerate(rooms)
    )
    note = Message(SYMPHONY, "n", "room-0", "1", 0, Kind.NOTE, "entered")
    symphony, weixin = Line(SYMPHONY, (*said, note)), Line(WEIXIN)
    onward = {room: node.Onward(WEIXIN, f"wk/{room}", "Alice Wong") for room in rooms}
    carrying = asyncio.create_task(node._carry(node.Relay((symphony, weixin), onward, 2)))
    await asyncio.wait_for(weixin.full.wait(), 60)
    carrying.cancel()
    assert weixin.most_under_way == 2
    for room in set(rooms):
        expected = [one.text for one in said if one.conversation == room]
        assert [text for chat, text in weixin.sent if chat == f"wk/{room}"] == expected


# --- settings and pairs -----------------------------------------------------------------------------------


async def test_settings_are_written_as_an_operator_writes_them(tmp_path: Path) -> None:
    """The file passes the same reading as any other, and secrets are readable by their owner alone."""
    networks = Networks(3)
    async with networks.serve():
        settings = relay.unlock(relay.load(networks.write_settings(tmp_path), {}))
    assert settings.symphony.pod_url == networks.pod.url
    assert settings.weixin.secret.reveal() == networks.platform.secret
    secrets = ("private_key", "secret", "token", "aes_key")
    assert {(tmp_path / name).stat().st_mode & 0o077 for name in secrets} == {0}
    assert len({(pair.stream, pair.contact.id) for pair in networks.pairs()}) == 3


# --- what follows -----------------------------------------------------------------------------------------


CPU = {BRIDGE: 800.0, BARE: 200.0}


def measured(kind: str, system: str, direction: str, per_second: float, p50: float) -> dict[str, Any]:
    """A row, as far as the summary reads it."""
    return {
        "kind": kind, "system": system, "direction": direction, "per_second": per_second, "p50_ms": p50,
        "cpu_us": CPU[system],
    }  # fmt: skip


ROWS: list[dict[str, Any]] = [
    {"kind": "commits", "transactions_per_second": 1000.0, "rows_per_second": 20000.0},
    *(measured("full", BRIDGE, way, rate, 900.0) for way in DIRECTIONS for rate in (40.0, 50.0, 90.0)),
    *(measured("full", BARE, way, rate, 300.0) for way in DIRECTIONS for rate in (100.0, 80.0, 120.0)),
    *(measured("tenth", BRIDGE, way, 5.0, 4.0) for way in DIRECTIONS),
    *(measured("tenth", BARE, way, 5.0, 1.5) for way in DIRECTIONS),
]


def test_the_summary_compares_medians() -> None:
    """One lucky round changes nothing: medians of the rounds are compared, each direction for itself."""
    answer = summary(ROWS)
    expected = {
        "per_second": 50.0, "bare_per_second": 100.0, "ratio": 0.5, "cpu_us": 800.0, "bare_cpu_us": 200.0,
        "cpu_ratio": 0.25, "added_p50_ms": 2.5,
    }  # fmt: skip
    assert answer["to_symphony"] == answer["to_weixin"] == expected
    assert answer["commits"] == {"transactions_per_second": 1000.0, "rows_per_second": 20000.0}


def test_shares_tell_who_kept_the_machine_busy() -> None:
    """In 10 s, 8 of the process, 4 of the networks, 17 of everything: others took half a core."""
    shares = relay.Spent(10.0, 8.0, 4.0, 17.0).shares()
    assert shares == {"cpu_share": 0.8, "networks_cpu_share": 0.4, "others_cpu_share": 0.5}


@pytest.mark.parametrize(("percent", "value"), [(0, 1), (50, 50), (99, 99), (99.5, 100), (100, 100)])
def test_percentiles_are_values_that_were_measured(percent: float, value: float) -> None:
    """Nearest rank: no value between two measured ones is invented."""
    assert percentile(range(1, 101), percent) == value


def test_growth_is_told_per_message() -> None:
    """What a leak costs per message, after the first quarter: 1 MB over 100 messages is 10,000 bytes each."""
    flat = growth([50.0, 90.0, *[100.0] * 6], 800)
    leaking = growth([100.0 + sample for sample in range(8)], 800)
    assert flat["bytes_per_message"] == 0
    assert leaking["bytes_per_message"] == 10_000


@pytest.mark.parametrize(
    ("folder", "kind"), [("/mnt/deep/er", "tmpfs"), ("/mntx", "ext4"), ("/", "ext4")], ids=str
)
def test_the_file_system_is_named(folder: str, kind: str) -> None:
    """The innermost mount that holds the folder counts, by whole names."""
    mounts = "/dev/vda / ext4 rw 0 0\ntmpfs /mnt/deep tmpfs rw 0 0\n"
    assert relay.filesystem(Path(folder), mounts) == kind
