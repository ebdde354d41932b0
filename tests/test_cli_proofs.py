"""`weighbridge audit checkpoint`, `proof` and `verify` with keys and folders: what an outsider is handed."""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
from pathlib import Path

import pytest
from rig import Clock, new_store, opened
from story import ENTRIES, Terminal, copy_of_the_story

from bridge.cli import init
from bridge.cli.output import Exit
from bridge.ledger.checkpoint import Signer, signer_from, verified, verifier_from
from bridge.ledger.proofs import consistent, includes
from bridge.ledger.tree import leaf_hash


@pytest.fixture
def terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Terminal:
    """A terminal on a copy of the story."""
    copy_of_the_story(tmp_path)
    return Terminal(tmp_path, capsys)


def kept(terminal: Terminal) -> list[Path]:
    """The anchored checkpoints, the smallest first."""
    return sorted((terminal.folder / "checkpoints").rglob("*.note"))


# --- checkpoint -----------------------------------------------------------------------------------------


def test_the_newest_checkpoint_is_printed_to_the_letter(terminal: Terminal) -> None:
    """What is printed is the note itself, ready to be kept; --json adds what it says and the key."""
    answer = terminal.type("audit", "checkpoint")
    assert (answer.code, answer.out) == (Exit.DONE, kept(terminal)[-1].read_text())
    (found,) = terminal.type("audit", "checkpoint", "--lane", "0", "--json").records
    said = verified(found["checkpoint"], [verifier_from(found["key"])])
    assert (found["lane"], found["size"], found["root"]) == (0, said.size, said.root.hex())
    assert found["size"] == ENTRIES


def test_where_nothing_is_signed_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A store that no daemon has run on has no checkpoint: exit code 1 and how one comes about."""
    new_store(tmp_path)
    opened(tmp_path, Clock()).close()
    answer = Terminal(tmp_path, capsys).type("audit", "checkpoint")
    assert answer.code == Exit.NO
    assert "daemon does so when it starts" in answer.err


# --- proof ----------------------------------------------------------------------------------------------


def test_a_message_is_proven_with_its_whole_life(terminal: Terminal) -> None:
    """Each entry about it has a path to the root that was signed."""
    (found,) = terminal.type("audit", "proof", "1").records
    said = verified(found["checkpoint"], [verifier_from(found["key"])])
    kinds = [json.loads(one["entry"])["kind"] for one in found["entries"]]
    assert kinds[0] == "message:archived"
    assert "delivery:sent" in kinds
    for one in found["entries"]:
        path = [bytes.fromhex(sibling) for sibling in one["path"]]
        assert includes(said.root, said.size, one["number"], leaf_hash(one["entry"].encode()), path)


def test_an_entry_is_proven_with_what_went_before(terminal: Terminal) -> None:
    """`0/40` is one entry; --against an older checkpoint proves that history only went on."""
    older = kept(terminal)[1]
    (found,) = terminal.type("audit", "proof", "0/40", "--against", str(older)).records
    assert [one["number"] for one in found["entries"]] == [40]
    key = verifier_from(found["key"])
    was, is_ = verified(older.read_text(), [key]), verified(found["checkpoint"], [key])
    path = [bytes.fromhex(one) for one in found["earlier"]["path"]]
    assert found["earlier"]["checkpoint"] == older.read_text()
    assert consistent(was.size, was.root, is_.size, is_.root, path)


@pytest.mark.parametrize(
    ("what", "code", "words"),
    [
        ("9999", Exit.NO, "nothing in the ledger about 9999"),
        ("0/9999", Exit.NO, "nothing in the ledger about 0/9999"),
        ("seventeen", Exit.WRONG, "write the number of a message"),
    ],
)
def test_what_cannot_be_proven_says_why(terminal: Terminal, what: str, code: Exit, words: str) -> None:
    """There is no such thing, or nobody can tell what was meant."""
    answer = terminal.type("audit", "proof", what)
    assert answer.code == code
    assert words in answer.err


def test_nothing_is_proven_by_a_store_that_was_changed(terminal: Terminal) -> None:
    """A hash other than was signed: no proof made with it leaves, and the way to find out is named."""
    with sqlite3.connect(terminal.folder / "weighbridge.db") as db:
        db.execute("UPDATE nodes SET hash = zeroblob(32)")
    answer = terminal.type("audit", "proof", "1")
    assert (answer.code, answer.out) == (Exit.UNREACHABLE, "")
    assert "weighbridge audit verify" in answer.err


def test_a_checkpoint_of_somebody_else_is_refused(terminal: Terminal, tmp_path: Path) -> None:
    """Another key, another log: neither is a start to prove from."""
    other = tmp_path / "other.note"
    other.write_text(Signer("somebody", bytes(32)).sign(0, 5, bytes(32)))
    answer = terminal.type("audit", "proof", "1", "--against", str(other))
    assert answer.code == Exit.NO
    assert "not signed by a key that is known" in answer.err


# --- verify ---------------------------------------------------------------------------------------------


def test_a_folder_that_is_gone_for_good_is_adopted(terminal: Terminal) -> None:
    """The doctor says what to do; it is done to folders of the settings alone."""
    folder = terminal.folder / "checkpoints"
    shutil.rmtree(folder)
    with contextlib.closing(sqlite3.connect(terminal.folder / "weighbridge.db")) as db, db:
        db.execute("UPDATE witnessed SET witness = ?", (str(folder),))
    (found,) = [
        one for one in terminal.type("doctor", "--offline", "--json").records if one["check"] == "checkpoints"
    ]
    assert not found["ok"]
    assert f"`weighbridge audit checkpoint --adopt {folder}`" in found["detail"]
    assert terminal.type("audit", "checkpoint", "--adopt", str(folder / "other")).code == Exit.WRONG
    assert terminal.type("audit", "checkpoint", "--adopt", str(folder)).code == Exit.DONE
    assert [one.name for one in folder.iterdir()] == ["key.pub"]


def test_verify_counts_checkpoints_inside_and_outside(terminal: Terminal) -> None:
    """Both counts are told, and that all is well."""
    answer = terminal.type("audit", "verify")
    assert answer.code == Exit.DONE
    assert "6 signed checkpoints, 6 outside the database" in answer.out


def test_verify_takes_an_auditors_own_copies(terminal: Terminal, tmp_path: Path) -> None:
    """--anchors and --key take what was kept elsewhere; a forged one is exit code 5, by its name."""
    mine, keys = tmp_path / "kept", tmp_path / "their-key"
    mine.mkdir()
    shutil.copy(kept(terminal)[3], mine / "2026-11.note")
    shutil.copy(terminal.folder / "secrets/checkpoint-key.pub", keys)
    shutil.rmtree(terminal.folder / "checkpoints")
    for path in (terminal.folder / "secrets").glob("checkpoint-key*"):
        path.unlink()
    assert terminal.type("audit", "verify", "--anchors", str(mine), "--key", str(keys)).code == Exit.DONE
    text = (mine / "2026-11.note").read_text()
    (mine / "2026-11.note").chmod(0o600)
    (mine / "2026-11.note").write_text(text.replace("/0\n2", "/0\n1", 1).replace("/0\n1", "/0\n2", 1) + "x")
    answer = terminal.type("audit", "verify", "--anchors", str(mine), "--key", str(keys))
    assert answer.code == Exit.INTEGRITY
    assert "2026-11.note" in answer.out


def test_without_any_key_no_signature_is_believed(terminal: Terminal) -> None:
    """No public key anywhere: every checkpoint is a finding, because nothing was checked."""
    shutil.rmtree(terminal.folder / "secrets")
    (terminal.folder / "checkpoints/key.pub").unlink()
    answer = terminal.type("audit", "verify")
    assert answer.code == Exit.INTEGRITY
    assert "not signed by a key that is known here" in answer.out


def test_a_backup_without_its_folders_is_not_accused(terminal: Terminal) -> None:
    """A copy of the database alone: its own checkpoints hold, and the summary says that none was outside."""
    shutil.move(terminal.folder / "checkpoints", terminal.folder / "elsewhere")
    answer = terminal.type("audit", "verify")
    assert answer.code == Exit.DONE
    assert "6 signed checkpoints, 0 outside the database" in answer.out


@pytest.mark.parametrize("named", ["--anchors", "settings", "settings, and not mounted"])
def test_a_place_that_should_have_checkpoints_and_has_none_is_told(
    terminal: Terminal, tmp_path: Path, named: str
) -> None:
    """A stick that is not mounted, or another one: exit code 6, its name, what to do, and nothing green."""
    stick = tmp_path / "stick"
    if named != "settings, and not mounted":
        stick.mkdir()
    if named != "--anchors":
        terminal.settings(f'[ledger]\nanchors = ["{terminal.folder}/checkpoints", "{stick}"]\n')
    more = ("--anchors", str(stick)) if named == "--anchors" else ()
    answer = terminal.type("audit", "verify", *more)
    assert answer.code == Exit.PARTIAL
    assert f"{stick}: no checkpoint is there" in answer.err and "Mount or restore" in answer.err
    assert answer.out.endswith("✓ Everything else is as it was recorded.\n")
    assert terminal.type("audit", "verify", "--json", *more).records[-1]["away"] == [str(stick)]


def test_a_store_that_has_signed_nothing_yet_is_not_accused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Just made, with a folder in its settings that nobody wrote to: in order, and no warning."""
    new_store(tmp_path)
    opened(tmp_path, Clock()).close()
    terminal = Terminal(tmp_path, capsys)
    terminal.settings(f'[ledger]\nanchors = ["{tmp_path}/elsewhere"]\n')
    answer = terminal.type("audit", "verify")
    assert (answer.code, answer.err) == (Exit.DONE, "")
    assert "!" not in answer.out


def test_a_history_that_nobody_ever_signed_is_warned_of(terminal: Terminal) -> None:
    """Without one checkpoint, inside or outside, nothing speaks against a history written anew."""
    with sqlite3.connect(terminal.folder / "weighbridge.db") as db:
        db.execute("DELETE FROM checkpoints")
    shutil.rmtree(terminal.folder / "checkpoints")
    answer = terminal.type("audit", "verify")
    assert "! No checkpoint was ever signed" in answer.out


# --- init -----------------------------------------------------------------------------------------------


def test_init_makes_the_key_and_prints_its_public_half(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The secret is in its file for its owner alone; what is printed is what checks its signatures."""
    monkeypatch.setattr(init, "KEY_BITS", 2048)
    terminal = Terminal(tmp_path, capsys)
    printed = terminal.type("init", str(tmp_path / "bank")).out
    path = tmp_path / "bank/secrets/checkpoint-key"
    signer = signer_from(path.read_text().strip())
    assert path.stat().st_mode & 0o777 == 0o600
    assert str(signer.verifier(0)) in printed
    assert path.with_name("checkpoint-key.pub").read_text() == f"{signer.verifier(0)}\n"
    assert signer.secret() not in printed
