"""What is shipped for running the bridge: locks, unit, container and sample agree with the product."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from bridge import __version__, config

ROOT = Path(__file__).resolve().parents[1]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))


def pins(lock: str) -> dict[str, str]:
    """Package and version of every line of a lock."""
    text = (ROOT / "requirements" / lock).read_text(encoding="utf-8")
    return dict(re.findall(r"^([\w.-]+)==(\S+)", text, re.MULTILINE))


def wanted(name: str) -> set[str]:
    """The packages a list asks for, by normal name."""
    lines = (ROOT / "requirements" / name).read_text(encoding="utf-8").splitlines()
    names = [re.split(r"[=><[]", line)[0].strip().lower() for line in lines if line and line[0] not in "#-"]
    return {re.sub(r"[-_.]+", "-", name) for name in names}


# --- locks ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_every_pinned_package_has_hashes(lock: Path) -> None:
    """Nothing is installed whose bytes were not seen when the lock was made."""
    entries = re.split(r"^(?=[\w.-]+==)", lock.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    assert entries
    assert not [entry.splitlines()[0] for entry in entries if "--hash=sha256:" not in entry]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_locks_name_no_host(lock: Path) -> None:
    """A lock says what and which bytes, never from where."""
    assert "://" not in lock.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["run", "s3", "test", "bdk2", "bdk3", "rivals"])
def test_locks_hold_what_their_lists_ask_for(name: str) -> None:
    """Who adds a library locks it: `make lock`."""
    assert wanted(f"{name}.in") <= set(pins(f"{name}.txt"))


def test_tests_run_on_what_is_shipped() -> None:
    """The test environment holds every run-time library, and those of the extra, in the version shipped."""
    run, extra, test = pins("run.txt"), pins("s3.txt"), pins("test.txt")
    assert run == {name: test.get(name) for name in run}
    assert extra == {name: test.get(name) for name in extra}


def test_only_one_library_is_a_preview() -> None:
    """wechatpy has no stable release of its current line; nothing else that we lock is unfinished."""
    previews = {
        name
        for lock in ("run.txt", "test.txt")
        for name, version in pins(lock).items()
        if re.search(r"\d(a|b|rc|\.dev)\d", version)
    }
    assert previews == {"wechatpy"}


def test_the_package_has_one_version() -> None:
    """pyproject.toml and `weighbridge --version` agree."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == __version__


# --- unit, container, sample ----------------------------------------------------------------------------


def test_the_sample_is_accepted() -> None:
    """deploy/weighbridge.toml has no problem, and lacks nothing but the secrets the unit adds."""
    settings = config.load(ROOT / "deploy/weighbridge.toml", {})
    assert settings.store.url == "sqlite:////var/lib/weighbridge/weighbridge.db"


@pytest.mark.parametrize("name", ["weighbridge.service", "Containerfile"])
def test_variables_are_settings(name: str) -> None:
    """Every WEIGHBRIDGE_ variable that is set exists in the table of settings."""
    text = (ROOT / "deploy" / name).read_text(encoding="utf-8")
    known = {config.variable(section, config.written_key(row)) for section, row in config.rows()}
    found = set(re.findall(r"WEIGHBRIDGE_\w+", text))
    assert found
    assert found <= known | config.ELSEWHERE


def test_unit_and_sample_are_complete_together() -> None:
    """With the unit's credentials, the sample is all that `run` asks for."""
    unit = (ROOT / "deploy/weighbridge.service").read_text(encoding="utf-8")
    environ = dict(re.findall(r"^Environment=(\w+)=(\S+)$", unit, re.MULTILINE))
    settings = config.load(ROOT / "deploy/weighbridge.toml", environ)
    for section, row in config.rows():
        if row.metadata["needed"]:
            assert getattr(getattr(settings, section), row.name) not in ("", config.Secret()), (
                section,
                row.name,
            )


def test_the_container_does_not_run_as_root() -> None:
    """The last USER is a number above zero, so that an orchestrator can check it."""
    text = (ROOT / "deploy/Containerfile").read_text(encoding="utf-8")
    assert re.findall(r"^USER (.+)$", text, re.MULTILINE)[-1] == "947:947"


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed here")
def test_the_unit_is_hardened(tmp_path: Path) -> None:
    """systemd knows every key of the unit and rates its exposure 2.0 or less, of 10."""
    unit = tmp_path / "weighbridge.service"
    text = (ROOT / "deploy/weighbridge.service").read_text(encoding="utf-8")
    unit.write_text(text.replace("/opt/weighbridge/bin/weighbridge", "/bin/true"))
    verified = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False
    )
    assert "weighbridge.service" not in verified.stderr, verified.stderr
    rated = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--threshold=20", str(unit)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert rated.returncode == 0, rated.stdout[-200:]


# --- the front door -------------------------------------------------------------------------------------


def test_make_lists_what_it_can_do() -> None:
    """`make` alone is a list of targets, not a build."""
    answer = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert {line.split()[1] for line in answer.stdout.splitlines()} >= {
        "help",
        "setup",
        "demo",
        "test",
        "bench",
        "clean",
    }


def test_make_says_what_is_missing(tmp_path: Path) -> None:
    """An old Python is refused with one sentence that says what to do."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "requirements").mkdir()
    for name in ("requirements/run.txt", "pyproject.toml"):
        (tmp_path / name).touch()
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    answer = subprocess.run(
        ["make", "setup", f"PYTHON={old}"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert answer.returncode != 0
    assert "weighbridge needs Python 3.11 or newer" in answer.stderr
    assert not (tmp_path / ".venv").exists()
