"""`weighbridge doctor`: every answer is right, says what to do, and shows no secret."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bridge.cli import output, weighbridge

MockProcess = Callable[..., contextlib.AbstractContextManager[dict[str, Any]]]
Findings = list[dict[str, Any]]
Examine = Callable[..., tuple[int, Findings]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """A configuration as `init` leaves it and a person completes it."""
    monkeypatch.setattr("bridge.cli.init.KEY_BITS", 2048)
    bank = tmp_path / "bank"
    arguments = ["init", str(bank), "--username", "weighbridge", "--corp-id", "ww1234567890abcdef"]
    assert output.guarded(lambda: weighbridge.main(arguments, standalone_mode=False)) == 0
    capsys.readouterr()
    (bank / "secrets/weixin-secret").write_text("mock-app-secret\n")
    return bank


@pytest.fixture
def nowhere() -> str:
    """An address on this machine at which nobody answers."""
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{door.getsockname()[1]}"


@pytest.fixture
def examine(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Examine:
    """Run the doctor on the folder, with settings from the environment: exit code and findings."""

    def call(*options: str, **environ: str) -> tuple[int, Findings]:
        for name, value in environ.items():
            monkeypatch.setenv(f"WEIGHBRIDGE_{name}", value)
        arguments = ["--config", str(folder / "weighbridge.toml"), "doctor", "--json", *options]
        code = output.guarded(lambda: weighbridge.main(arguments, standalone_mode=False))
        return code, [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return call


def failures(findings: Findings) -> dict[str, str]:
    """Check and detail of everything that is not in order."""
    return {finding["check"]: finding["detail"] for finding in findings if not finding["ok"]}


def test_a_complete_folder_is_in_order(examine: Examine, nowhere: str) -> None:
    """What `init` made, with a pod and a secret filled in, passes everything that needs no network."""
    code, findings = examine("--offline", SYMPHONY_POD_URL=nowhere)
    assert failures(findings) == {}
    assert code == 0
    assert {"settings", "policy firm-wide", "policy hk-equities", "retention", "store"} <= {
        one["check"] for one in findings
    }


def test_a_missing_file_ends_the_examination(examine: Examine, folder: Path) -> None:
    """Without settings there is one answer: how to make them."""
    (folder / "weighbridge.toml").unlink()
    code, findings = examine()
    assert code == 1
    assert [one["check"] for one in findings] == ["settings"]
    assert "weighbridge init" in findings[0]["detail"]


def test_all_that_is_missing_is_named(examine: Examine, folder: Path) -> None:
    """An empty secret and an address nobody gave: both in one answer."""
    (folder / "secrets/weixin-secret").write_text("")
    code, findings = examine()
    assert code == 1
    details = " ".join(one["detail"] for one in findings)
    assert "weixin-secret is empty" in details
    assert "symphony.pod_url" in details


def test_broken_settings_do_not_hide_the_rest(
    examine: Examine, folder: Path, mock_process: MockProcess
) -> None:
    """All that is wrong with the settings in one answer, and whatever does not rest on it is looked at."""
    (folder / "secrets/weixin-secret").write_text("")
    (folder / "policies/firm-wide.yaml").write_text("policy: [")
    with mock_process("symphony", "--bot-key", str(folder / "secrets/symphony-public.pem")) as pod:
        code, findings = examine(SYMPHONY_POD_URL=pod["url"], DAEMON_BATCH="many", ATTACHMENTS_SECONDS="soon")
    assert code == 1
    wrong = [one["detail"] for one in findings if one["check"] == "settings"]
    assert [any(word in one for one in wrong) for word in ("BATCH", "SECONDS", "weixin-secret")] == [True] * 3
    checks = {one["check"]: one["ok"] for one in findings}
    assert not checks["policies"]
    assert checks["store"]
    assert any(check.startswith("symphony: ") for check in checks)
    assert not any(check.startswith(("weixin: ", "clamav")) for check in checks)


def test_a_broken_policy_is_told_with_the_command_that_shows_it(
    examine: Examine, folder: Path, nowhere: str
) -> None:
    """The doctor counts; `policy check` explains."""
    (folder / "policies/firm-wide.yaml").write_text("policy: [")
    code, findings = examine("--offline", SYMPHONY_POD_URL=nowhere)
    assert code == 1
    assert "weighbridge policy check" in failures(findings)["policies"]


def test_no_policy_at_all_is_a_problem(examine: Examine, nowhere: str) -> None:
    """A bridge without a policy is not what anybody wants to run."""
    code, findings = examine("--offline", SYMPHONY_POD_URL=nowhere, POLICY_FILES="none/*.yaml")
    assert code == 1
    assert "no file matches" in failures(findings)["policies"]


def test_a_scanner_that_does_not_answer_is_a_problem(examine: Examine, nowhere: str) -> None:
    """Where ClamAV is named, it must answer: without it, what is attached would be held."""
    scanner = {"ATTACHMENTS_CLAMAV": "unix:/nowhere/clamd.ctl"}
    code, findings = examine("--offline", SYMPHONY_POD_URL=nowhere, **scanner)
    assert code == 1
    assert "start clamd" in failures(findings)["clamav"]


def test_a_store_that_is_none_is_a_problem(examine: Examine, folder: Path, nowhere: str) -> None:
    """A file that is no database is told, and left as it is."""
    path = folder / "weighbridge.db"
    path.write_bytes(b"this is not a database" * 100)
    code, findings = examine("--offline", SYMPHONY_POD_URL=nowhere)
    assert code == 1
    assert "store" in failures(findings)
    assert path.read_bytes() == b"this is not a database" * 100


def test_both_networks_are_signed_in_to(examine: Examine, folder: Path, mock_process: MockProcess) -> None:
    """With both mocks up and `init`'s own key at the pod, nothing is wrong with either network."""
    key = str(folder / "secrets/symphony-public.pem")
    with mock_process("symphony", "--bot-key", key) as pod, mock_process("weixin") as wecom:
        code, findings = examine(SYMPHONY_POD_URL=pod["url"], WEIXIN_API_URL=wecom["url"])
    assert failures(findings) == {}
    assert code == 0
    assert {one["check"].partition(":")[0] for one in findings} >= {"symphony", "weixin"}


def test_refused_credentials_are_told(examine: Examine, folder: Path, mock_process: MockProcess) -> None:
    """A pod that knows another key, a platform that knows another secret: neither failure hides the other."""
    (folder / "secrets/weixin-secret").write_text("hush-not-this-one")
    with mock_process("symphony") as pod, mock_process("weixin") as wecom:
        code, findings = examine(SYMPHONY_POD_URL=pod["url"], WEIXIN_API_URL=wecom["url"])
    assert code == 1
    assert {check.partition(":")[0] for check in failures(findings)} == {"symphony", "weixin"}
    assert "hush" not in json.dumps(findings)


def test_checkpoints_on_the_disk_of_the_database_are_told(
    examine: Examine, folder: Path, nowhere: str
) -> None:
    """The default is no mistake and is explained; a key that cannot be used is one."""
    _, findings = examine("--offline", SYMPHONY_POD_URL=nowhere)
    (where,) = [one for one in findings if one["check"] == "checkpoints"]
    assert where["ok"]
    assert where["detail"].startswith(f"{folder}/checkpoints: on the disk of the database")
    (folder / "secrets/checkpoint-key").write_text("no key")
    code, findings = examine("--offline", SYMPHONY_POD_URL=nowhere)
    assert code == 1
    assert "no signing key" in failures(findings)["checkpoint key"]


def test_a_folder_for_checkpoints_is_tried(examine: Examine, folder: Path, nowhere: str) -> None:
    """One that cannot be made is told with what to do, even to root; what was tried leaves nothing behind."""
    elsewhere = folder / "mounted/checkpoints"
    (folder / "a-file").touch()
    for place, well in (("/proc/nope/x", False), (f"{folder}/a-file/x", False), (str(elsewhere), True)):
        _, findings = examine("--offline", SYMPHONY_POD_URL=nowhere, LEDGER_ANCHORS=place)
        (where,) = [one for one in findings if one["check"] == "checkpoints"]
        assert where["ok"] is well
        assert well or f"{place}: nothing can be written there" in where["detail"]
    assert not elsewhere.parent.exists()
