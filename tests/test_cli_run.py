"""`weighbridge run`, from the terminal: what it says when it cannot start, and how errors leave it."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from daemon_rig import settings_folder

from bridge.cli import compose, output, weighbridge
from bridge.cli.output import Exit
from bridge.errors import StoreError

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What `weighbridge init` writes."""
    return settings_folder(tmp_path / "bank")


@pytest.fixture
def run(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the daemon in this process, with settings from the environment: exit code and what it said."""
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    monkeypatch.setattr("bridge.cli.run.sooner", lambda: None)
    capsys.readouterr()

    def call(config: Path = folder / "weighbridge.toml", *options: str, **environ: str) -> tuple[int, str]:
        for name, value in {"DAEMON_HTTP": "127.0.0.1:0", **environ}.items():
            monkeypatch.setenv(f"WEIGHBRIDGE_{name}", value)
        arguments = ["--config", str(config), "run", *options]
        code = output.guarded(lambda: weighbridge.main(arguments, standalone_mode=False))
        said = capsys.readouterr()
        assert said.out == ""
        return code, said.err

    return call


# --- what has to be mended first ------------------------------------------------------------------------


def test_without_settings_it_says_how_to_make_them(run: Run, tmp_path: Path) -> None:
    """No file: exit 2, and the command that writes one."""
    code, said = run(tmp_path / "nowhere.toml")
    assert code == Exit.WRONG
    assert "nowhere.toml: no such file" in said and "`weighbridge init`" in said


def test_everything_that_is_missing_is_said_at_once(run: Run, folder: Path) -> None:
    """An empty secret and a pod that is no address: both in one answer, with their places."""
    (folder / "secrets/weixin-secret").write_text("")
    code, said = run()
    assert code == Exit.WRONG and "weixin-secret is empty" in said
    code, said = run(SYMPHONY_POD_URL="pod.example")
    assert code == Exit.WRONG and "WEIGHBRIDGE_SYMPHONY_POD_URL" in said


def test_a_broken_policy_is_shown_with_its_place(run: Run, folder: Path) -> None:
    """The daemon refuses to start without a policy it can read, and says where it stopped reading."""
    (folder / "policies/firm-wide.yaml").write_text("policy: [")
    code, said = run()
    assert code == Exit.WRONG
    assert "firm-wide.yaml:1:10:" in said


def test_without_any_policy_it_does_not_start(run: Run) -> None:
    """No file matches: nothing could pass, so nothing is started."""
    code, said = run(POLICY_FILES="nothing/*.yaml")
    assert code == Exit.WRONG
    assert "no file matches" in said


def test_a_taken_port_is_named_with_its_setting(run: Run) -> None:
    """Somebody else listens where the pages should be: the setting, the address and the reason."""
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        door.listen()
        port = door.getsockname()[1]
        code, said = run(DAEMON_HTTP=f"127.0.0.1:{port}")
    assert code == Exit.WRONG
    assert f"daemon.http: 127.0.0.1:{port} cannot be listened on (address already in use)" in said
    assert "Traceback" not in said


def test_a_strange_address_is_named_with_its_setting(run: Run) -> None:
    """An address that is not of this machine is a matter of settings, too."""
    code, said = run(DAEMON_HTTP="192.0.2.1:9470")
    assert code == Exit.WRONG
    assert "daemon.http: 192.0.2.1:9470 cannot be listened on" in said


def test_a_store_that_is_none_is_said(run: Run, folder: Path) -> None:
    """A file that is no database: exit 4, and nothing is written over it."""
    (folder / "weighbridge.db").write_bytes(b"this is not a database" * 100)
    code, said = run()
    assert code == Exit.UNREACHABLE
    assert "weighbridge.db cannot be opened" in said


@pytest.mark.parametrize("left", ["checkpoints/0/00000/000000000007.note", "blobs/ab/cd/abcd"])
def test_an_empty_store_beside_another_ones_files_is_refused(
    run: Run, folder: Path, end_with: Callable[[BaseException], None], left: str
) -> None:
    """A database that was lost or misnamed is no reason to begin anew, unless a person says so."""
    end_with(StoreError("it began."))
    (folder / left).parent.mkdir(parents=True)
    (folder / left).write_text("of another archive")
    for _ in range(2):  # the first start makes the tables
        code, said = run()
        assert code == Exit.WRONG
        assert str(folder / left.split("/")[0]) in said and "`weighbridge run --new-archive`" in said
    assert "it began" in run(folder / "weighbridge.toml", "--new-archive")[1]


# --- how errors leave -----------------------------------------------------------------------------------


class Ending:
    """A daemon that ends with an error."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    async def run(self) -> None:
        """End."""
        raise self.error


@pytest.fixture
def end_with(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], None]:
    """Let the next daemon end with an error."""

    def replace(error: BaseException) -> None:
        monkeypatch.setattr(compose, "daemon", lambda *_, **__: Ending(error))

    return replace


def test_an_expected_error_is_explained_without_its_groups(
    run: Run, end_with: Callable[[BaseException], None]
) -> None:
    """What comes out of two task groups is one sentence with its exit code, and no traceback."""
    end_with(ExceptionGroup("rooms", [ExceptionGroup("inner", [StoreError("the disk is full.")])]))
    code, said = run()
    assert code == Exit.UNREACHABLE
    assert said.startswith("weighbridge: the disk is full.")
    assert "Traceback" not in said and len(said.splitlines()) == 1


def test_bugs_are_logged_by_class_and_place(run: Run, end_with: Callable[[BaseException], None]) -> None:
    """Every bug of a group has its line; what it says stays inside; the process ends with 1."""
    bugs = [KeyError("hush, Alice"), StoreError("expected"), ZeroDivisionError("hush, 李雷")]
    end_with(BaseExceptionGroup("rooms", bugs))
    code, said = run()
    assert code == 1
    lines = [json.loads(line) for line in said.splitlines()]
    died = [line["code"] for line in lines if line["event"] == "daemon:died"]
    assert died == ["KeyError", "ZeroDivisionError"]
    assert "hush" not in said


def test_a_bug_outside_of_any_group_is_logged_too(
    run: Run, end_with: Callable[[BaseException], None]
) -> None:
    """With its way through the code, outermost first."""
    end_with(RuntimeError("hush"))
    code, said = run()
    lines = [json.loads(line) for line in said.splitlines()]
    assert code == 1 and lines[0]["event"] == "daemon:died"
    places = [line["where"].partition(":")[0] for line in lines if line["event"] == "daemon:stack"]
    assert places[0] == "bridge.cli.run" and places[-1] == __name__
    assert "hush" not in said


def test_a_thread_that_dies_keeps_its_words(
    run: Run, end_with: Callable[[BaseException], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """The writing thread ends like the process would: by class and place."""
    end_with(StoreError("over"))
    run()

    def die() -> None:
        raise ValueError("hush")

    thread = threading.Thread(target=die)
    thread.start()
    thread.join()
    said = capsys.readouterr().err
    assert '"code": "ValueError"' in said and "hush" not in said
