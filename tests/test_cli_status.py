"""`weighbridge status`: what waits is counted from the store, and the daemon is asked on loopback."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from story import ENTRIES, Terminal, copy_of_the_story

from bridge.cli.output import Exit
from bridge.cli.status import _assurance_lines, ask

RUNNING = {
    "state": "running",
    "since": 1_790_000_000_000,
    "networks": {
        "symphony": {"open": True, "remedy": "", "since": 0},
        "weixin": {"open": False, "remedy": "Put the application's secret into its file.", "since": 0},
    },
    "policies": [["cards", "a" * 64]],
}


@contextmanager
def answering(body: bytes) -> Iterator[int]:
    """Somebody on loopback who answers every request with `body`; gives the port."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing on standard error."""

    server = HTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def nobody() -> int:
    """A port at which nobody answers."""
    with answering(b"") as port:
        return port


@pytest.fixture
def terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Terminal:
    """A terminal on a copy of the story."""
    copy_of_the_story(tmp_path)
    return Terminal(tmp_path, capsys)


def look(terminal: Terminal, port: int, *options: str):
    """`status`, with the daemon's page at this port."""
    terminal.settings(f'[daemon]\nhttp = "127.0.0.1:{port}"\n')
    return terminal.type("status", *options)


def test_status_shows_the_daemon_and_what_waits(terminal: Terminal) -> None:
    """With a daemon: its state, each network with what to do about it, and what waits with where to look."""
    with answering(json.dumps(RUNNING).encode()) as port:
        answer = look(terminal, port)
    assert (answer.code, answer.err) == (Exit.DONE, "")
    assert "✓ daemon     running for" in answer.out
    assert "✓ symphony   open" in answer.out
    assert "✗ weixin     closed: Put the application's secret into its file." in answer.out
    assert f"{ENTRIES} entries in the ledger" in answer.out
    held = next(line for line in answer.out.splitlines() if "held for a reviewer" in line)
    assert "weighbridge review list" in held
    assert " 3 " in held
    assert "weighbridge outbox list --state parked" in answer.out


def test_status_without_a_daemon(terminal: Terminal) -> None:
    """Nobody answers: what waits is shown all the same, the remedy is named, and the exit code is 4."""
    answer = look(terminal, nobody())
    assert answer.code == Exit.UNREACHABLE
    assert "nobody answers" in answer.out
    assert "weighbridge run" in answer.out
    assert "held for a reviewer" in answer.out


def test_status_without_a_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Before the first run there is no store: said, with how it is made, and nothing is made."""
    answer = look(Terminal(tmp_path, capsys), nobody())
    assert answer.code == Exit.UNREACHABLE
    assert "there is no store" in answer.out
    assert not (tmp_path / "weighbridge.db").exists()


def test_status_in_json(terminal: Terminal) -> None:
    """One object: the daemon's own answer, and the counts that people see, as numbers."""
    with answering(json.dumps(RUNNING).encode()) as port:
        (found,) = look(terminal, port, "--json").records
    assert found["daemon"] == RUNNING
    store = found["store"]
    assert (store["held"], store["unjudged"], store["fetching"]) == (3, 1, 1)
    assert store["networks"]["weixin"]["parked"] == 1
    assert store["policies"] == [["cards", "a" * 64]]
    assert (store["lanes"][0]["owner"], store["lanes"][0]["size"]) == ("daemon", ENTRIES)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b"{}", b"\xff\xfe"])
def test_somebody_else_at_the_port_is_not_the_daemon(body: bytes) -> None:
    """Whatever another program answers there, it is not taken for the daemon, and nothing breaks."""
    with answering(body) as port:
        assert ask(f"http://127.0.0.1:{port}/status") is None


def test_a_policy_that_was_removed_is_named(terminal: Terminal) -> None:
    """Whoever looks sees which policy decides no more."""
    with answering(json.dumps(RUNNING | {"removed": ["walls"]}).encode()) as port:
        answer = look(terminal, port)
    assert "✗ policies   the file of walls was removed: it decides no more" in answer.out


def test_a_list_out_of_date_is_named(terminal: Terminal) -> None:
    """Whoever wonders why everything is held sees which file has to be delivered again."""
    with answering(json.dumps(RUNNING | {"stale": [["cards", "restricted"]]}).encode()) as port:
        answer = look(terminal, port)
    assert "✗ policies   list restricted of policy cards is out of date: everything is held" in answer.out


BEHIND = {"name": "symphony:room", "size": 1200, "seconds": 1800.0, "late": False, "trouble": ""}
AWAY = [{**BEHIND, "trouble": "/a is away"}, {**BEHIND, "trouble": "/b is away"}]


def test_checkpoints_are_in_order_or_say_why_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """How much is signed and anchored, and as of when; a folder that is away is named."""
    copy_of_the_story(tmp_path)
    terminal = Terminal(tmp_path, capsys)
    good = {"size": 1234, "covered_at": RUNNING["since"], "trouble": ""}
    for checkpoint, words in (
        (good, "✓ checkpoint 1,234 entries are signed and anchored"),
        ({**good, "places": [BEHIND]}, "symphony:room has 1,200 of them; the rest waits for 30 min"),
        ({**good, "trouble": "checkpoints cannot be written to /far"}, "✗ checkpoint checkpoints cannot be"),
        ({**good, "trouble": "/a is away; /b is away", "places": AWAY}, "and not in every place"),
        (
            {**good, "trouble": "/a is away; /b is away", "places": AWAY},
            "\n✗            /a is away\n✗            /b",
        ),
    ):
        with answering(json.dumps({**RUNNING, "checkpoint": checkpoint}).encode()) as port:
            terminal.settings(f'[daemon]\nhttp = "127.0.0.1:{port}"\n')
            assert words in terminal.type("status").out


def test_each_trouble_of_completeness_has_its_line() -> None:
    """What differs, and a folder that cannot be written: neither hides the other."""
    troubles = ["2026-01-05: 1 differences", "certificates cannot be written to /a"]
    first, second = _assurance_lines({"lags": {}, "troubles": troubles})
    assert (first, second) == tuple(f"✗ complete   {one}" for one in troubles)
    (good,) = _assurance_lines({"lags": {"symphony": 2.0}, "troubles": []})
    assert good.startswith("✓ complete   read to the end: symphony 2 s ago"), good
