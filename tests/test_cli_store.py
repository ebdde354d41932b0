"""`weighbridge store`: what a person sees who moves everything to another database."""

from __future__ import annotations

import tomllib
from pathlib import Path
from unittest import mock

import pytest
from postgres import Server
from story import ENTRIES, Terminal, copy_of_the_story

from bridge.cli.output import Exit
from bridge.store import postgresql

WHY = ("--reason", "to the server", "--as", "bob.li@bank.example")


@pytest.fixture
def terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Terminal:
    """A terminal on a copy of the story."""
    copy_of_the_story(tmp_path)
    return Terminal(tmp_path, capsys)


def test_moved_to_a_server_everything_goes_on(terminal: Terminal, postgres: Server) -> None:
    """The lines that it prints are the settings; with them the store verifies, and the old one is closed."""
    url = postgres.fresh()
    answer = terminal.type("store", "copy", "--to", url, *WHY)
    assert answer.code == Exit.DONE, answer.err
    assert "read back and the same" in answer.out
    assert f"root of {ENTRIES} entries" in answer.out and "search index is not copied" in answer.out
    lines = [line for line in answer.out.splitlines() if line.startswith("  url =")]
    assert tomllib.loads(lines[0])["url"] == url
    late = terminal.type("people", "unpair", "1", *WHY)
    assert late.code == Exit.NO and "was moved to PostgreSQL database" in late.err
    assert "closed: this store was moved" in terminal.type("store", "status").out
    more = f'blobs = "{terminal.folder}/blobs"\nkey_file = "{terminal.folder}/secrets/store-key"\n'
    signs = f'[ledger]\nkey_file = "{terminal.folder}/secrets/checkpoint-key"\n'
    (terminal.folder / "weighbridge.toml").write_text(f"[store]\n{lines[0]}\n{more}{signs}")
    assert terminal.type("audit", "verify").code == Exit.DONE
    status = terminal.type("store", "status")
    assert "PostgreSQL 1" in status.out and f"{ENTRIES + 1} entries" in status.out
    assert "closed" not in status.out


def test_a_program_gets_one_object(terminal: Terminal) -> None:
    """Rows and digests by table, roots, the address without a password, seconds."""
    target = terminal.folder / "other.db"
    blobs = terminal.folder / "elsewhere"
    answer = terminal.type(
        "store", "copy", "--to", f"sqlite:///{target}", "--blobs", str(blobs), "--keep", "--json", *WHY
    )
    (record,) = answer.records
    assert answer.code == Exit.DONE and record["kept"] and record["blobs"] == 1
    assert record["tables"]["ledger"]["rows"] == ENTRIES and len(record["tables"]["ledger"]["sha256"]) == 64
    assert record["roots"]["0"]["size"] == ENTRIES and record["findings"] == []
    assert record["rows"] == sum(one["rows"] for one in record["tables"].values())
    (status,) = terminal.type("store", "status", "--json").records
    assert status["rows"]["ledger"] == ENTRIES and status["closed"] == "" and status["engine"] == "SQLite"


def test_what_was_damaged_is_said(terminal: Terminal) -> None:
    """The copy is as damaged as the store was: exit code 5."""
    import sqlite3

    with sqlite3.connect(terminal.folder / "weighbridge.db") as db:
        db.execute("UPDATE verdicts SET cause = 'other' WHERE id = 3")
    answer = terminal.type("store", "copy", "--to", f"sqlite:///{terminal.folder}/other.db", *WHY)
    assert answer.code == Exit.INTEGRITY and "in the copy as in what was copied" in answer.out


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mysql://w@db/w", "write sqlite:///FILE, or postgresql://"),
        ("postgresql://w@db.bank.example", "write sqlite:///FILE, or postgresql://"),
    ],
)
def test_an_address_that_is_none_is_refused(terminal: Terminal, url: str, words: str) -> None:
    """Before anything is opened."""
    answer = terminal.type("store", "copy", "--to", url, *WHY)
    assert answer.code == Exit.WRONG and words in answer.err


@pytest.mark.parametrize(
    "url",
    ["postgresql://w:hush@db/w", "postgresql://w@db/w?password=hush", "postgresql://db/w?sslpassword=hush"],
)
def test_a_password_on_the_command_line_is_refused(terminal: Terminal, url: str) -> None:
    """Everybody on the machine sees it there; the remedy is named, the password is not repeated."""
    answer = terminal.type("store", "copy", "--to", url, *WHY)
    assert answer.code == Exit.WRONG and "PGPASSFILE, PGPASSWORD or a service" in answer.err
    assert "hush" not in answer.err + answer.out


def test_a_server_that_cannot_be_used_is_named(terminal: Terminal, postgres: Server) -> None:
    """One that is not there, and one that is too old: exit code 4, and the source stays open."""
    away = terminal.type("store", "copy", "--to", "postgresql://w@/w?host=/nowhere", *WHY)
    assert away.code == Exit.UNREACHABLE and "PostgreSQL database w at /nowhere" in away.err
    with mock.patch.object(postgresql, "OLDEST", 99):
        old = terminal.type("store", "copy", "--to", postgres.fresh(), *WHY)
    assert old.code == Exit.UNREACHABLE and "version 99 or later is needed" in old.err
    assert "closed" not in terminal.type("store", "status").out
