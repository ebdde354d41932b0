"""`weighbridge keys`: what a person sees and does; no key is ever printed."""

from __future__ import annotations

import inspect
import itertools
import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import select
from story import ENTRIES, Terminal, copy_of_the_story

from bridge.cli.output import Exit
from bridge.keepers import KeyFile
from bridge.store import rotation
from bridge.store import schema as s
from bridge.store.database import Database, open_engine

WHY = ("--reason", "as every year", "--as", "bob.li@bank.example")


@pytest.fixture
def terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Terminal:
    """A terminal on a copy of the story."""
    copy_of_the_story(tmp_path)
    return Terminal(tmp_path, capsys)


def key_file(terminal: Terminal) -> KeyFile:
    """The key file of the store."""
    return KeyFile(terminal.folder / "secrets" / "store-key")


def said(terminal: Terminal) -> list[bytes]:
    """What the archive said before anything was done to its keys, opened."""
    engine = open_engine(f"sqlite:///{terminal.folder}/weighbridge.db")
    with engine.connect() as db:
        bodies = db.scalars(select(s.content.c.body).where(s.content.c.seq < ENTRIES)).all()
    engine.dispose()
    assert len(bodies) > 100
    return list(bodies)


def test_status_says_how_the_keys_stand(terminal: Terminal) -> None:
    """Which master key, what each store key wraps, and that nobody has shares."""
    answer = terminal.type("keys", "status")
    assert answer.code == Exit.DONE
    name, key = key_file(terminal).reveal()
    assert f"master key {name}" in answer.out and "it wraps the store's keys" in answer.out
    assert "never split" in answer.out and "last drill: never" in answer.out
    assert key.hex() not in answer.out
    (record,) = terminal.type("keys", "status", "--json").records
    assert [one["purpose"] for one in record["store_keys"]] == ["records", "tokens"]
    assert record["store_keys"][0]["wraps"] > 50


def test_status_works_without_the_key(terminal: Terminal) -> None:
    """Whoever lost it is told, and nothing needs to be opened for that."""
    key_file(terminal).path.unlink()
    answer = terminal.type("keys", "status")
    assert answer.code == Exit.DONE and "master key missing" in answer.out


def test_without_the_key_a_command_says_what_is_missing(terminal: Terminal) -> None:
    """Exit code 2, the file's place and the remedy; nothing of the archive."""
    key_file(terminal).path.unlink()
    answer = terminal.type("review", "list")
    assert (answer.code, answer.out) == (Exit.WRONG, "")
    assert str(key_file(terminal).path) in answer.err and "weighbridge keys restore" in answer.err


WITHOUT_THE_KEY = (
    ("audit", "show", "3"),
    ("audit", "replay"),
    ("review", "list"),
    ("review", "show", "3"),
    ("outbox", "list"),
    ("people", "list"),
    ("freeze", *WHY),
    ("keys", "rotate", *WHY),
    ("keys", "escrow", "--shares", "2", "--needed", "2", "--out", "shares", *WHY),
)


@pytest.mark.parametrize("command", WITHOUT_THE_KEY, ids=" ".join)
def test_a_copy_without_the_key_yields_nothing(terminal: Terminal, command: tuple[str, ...]) -> None:
    """Whoever has all but the key file reads nothing, writes nothing, and is told what is missing.

    No command makes a new key in the place of the lost one: that would keep `keys restore` from it.
    """
    key_file(terminal).path.unlink()
    before = (terminal.folder / "weighbridge.db").read_bytes()
    answer = terminal.type(*command)
    assert (answer.code, answer.out) == (Exit.WRONG, "")
    assert "weighbridge keys restore" in answer.err
    assert not key_file(terminal).path.exists()
    assert (terminal.folder / "weighbridge.db").read_bytes() == before


def test_without_the_key_the_red_button_says_what_stops_everything(terminal: Terminal) -> None:
    """Nothing is frozen, and whoever is in a hurry reads what to do instead."""
    key_file(terminal).path.unlink()
    answer = terminal.type("freeze", *WHY)
    assert answer.code == Exit.WRONG
    assert "Nothing is frozen" in answer.err and "systemctl stop weighbridge" in answer.err


def test_verify_without_the_key_says_what_it_did_not_compare(terminal: Terminal) -> None:
    """Tree and structure are in order; content was not compared, and that is no success in silence."""
    key_file(terminal).path.unlink()
    answer = terminal.type("audit", "verify")
    assert answer.code == Exit.PARTIAL
    assert "not compared" in answer.out and "there is no such file" in answer.out


def test_a_rotation_from_end_to_end(terminal: Terminal) -> None:
    """Another master key, the same archive, and nothing to find."""
    before, name = said(terminal), key_file(terminal).current
    answer = terminal.type("keys", "rotate", *WHY)
    assert answer.code == Exit.DONE
    assert key_file(terminal).current != name
    assert key_file(terminal).current in answer.out
    assert said(terminal) == before
    assert terminal.type("audit", "verify").code == Exit.DONE


def test_shares_are_handed_out_tried_and_restore_the_key(terminal: Terminal) -> None:
    """Three of five: any three; two say what is lacking. The files are their owner's alone."""
    out = terminal.folder / "shares"
    split = ("keys", "escrow", "--shares", "5", "--needed", "3", "--out", str(out), *WHY)
    assert terminal.type(*split).code == Exit.DONE
    files = sorted(out.iterdir())
    assert [path.name for path in files] == [f"share-{number}.txt" for number in range(1, 6)]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert terminal.type(*split).code == Exit.WRONG  # never into a folder that is there
    few = terminal.type("keys", "drill", str(files[0]), str(files[1]), *WHY)
    assert few.code == Exit.WRONG and "3 different shares are needed, and there are 2" in few.err
    chosen = (str(files[4]), str(files[0]), str(files[2]))
    done = terminal.type("keys", "drill", *chosen, "--custodian", "a notary", *WHY)
    assert done.code == Exit.DONE and "Shares 1, 3, 5 give master key" in done.out
    assert terminal.type("keys", "restore", *chosen).code == Exit.WRONG  # the file is there
    before = said(terminal)
    key_file(terminal).path.unlink()
    assert terminal.type("keys", "restore", *chosen).code == Exit.DONE
    assert said(terminal) == before
    assert terminal.type("audit", "verify").code == Exit.DONE
    assert "3 of 5, this key" in terminal.type("keys", "status").out


def test_shares_that_do_not_belong_together_are_told_apart(terminal: Terminal) -> None:
    """Of two escrows of one key; of a key that was rotated away; of what is no share at all."""
    first, second = terminal.folder / "first", terminal.folder / "second"
    for out in (first, second):
        split = ("keys", "escrow", "--shares", "3", "--needed", "2", "--out", str(out), *WHY)
        assert terminal.type(*split).code == Exit.DONE
    mixed = terminal.type("keys", "drill", str(first / "share-1.txt"), str(second / "share-2.txt"), *WHY)
    assert mixed.code == Exit.WRONG and "not all are of the same escrow" in mixed.err
    terminal.type("keys", "rotate", *WHY)
    old = (str(first / "share-1.txt"), str(first / "share-3.txt"))
    for command in (("keys", "drill", *old, *WHY), ("keys", "restore", *old)):
        answer = terminal.type(*command)
        assert answer.code == Exit.WRONG and "these shares are of master key" in answer.err
    no_share = terminal.type("keys", "drill", str(terminal.folder / "weighbridge.toml"), *WHY)
    assert no_share.code == Exit.WRONG and "weighbridge.toml: this is not a share" in no_share.err


class Killed(BaseException):
    """The process is gone; nobody tidies up."""


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", range(8))
def test_killed_at_any_step_a_rotation_is_finished_by_the_next(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, step: int, after: bool
) -> None:
    """Between a new master key, each transaction, and the end of the old key: everything reads, always."""
    before = said(terminal)
    steps = itertools.count()

    def die_at(now: bool) -> None:
        if now:
            raise Killed

    def deadly(act: Callable) -> Callable:
        def acted(*arguments: object) -> object:
            now = next(steps) == step
            die_at(now and not after)
            done = act(*arguments)
            die_at(now)
            return done

        async def acted_in_time(*arguments: object) -> object:
            now = next(steps) == step
            die_at(now and not after)
            done = await act(*arguments)
            die_at(now)
            return done

        return acted_in_time if inspect.iscoroutinefunction(act) else acted

    monkeypatch.setattr(rotation, "MANY", 100)
    with monkeypatch.context() as mortal:
        for owner, names in ((KeyFile, ("renew", "forget")), (Database, ("write",))):
            for name in names:
                mortal.setattr(owner, name, deadly(getattr(owner, name)))
        with pytest.raises(Killed):
            terminal.type("keys", "rotate", *WHY)
    assert said(terminal) == before
    assert terminal.type("keys", "rotate", *WHY).code == Exit.DONE
    assert said(terminal) == before
    assert terminal.type("audit", "verify").code == Exit.DONE
    assert len(json.loads(key_file(terminal).path.read_text())["keys"]) == 1
    assert "not at its end" not in terminal.type("keys", "status").out


def test_a_changed_share_is_named(terminal: Terminal) -> None:
    """The file, and that it was not copied rightly."""
    out = terminal.folder / "shares"
    terminal.type("keys", "escrow", "--shares", "2", "--needed", "2", "--out", str(out), *WHY)
    share = out / "share-2.txt"
    text = share.read_text()
    share.write_text(text[:-12] + ("0" if text[-12] != "0" else "1") + text[-11:])
    answer = terminal.type("keys", "drill", str(out / "share-1.txt"), str(share), *WHY)
    assert answer.code == Exit.WRONG
    assert str(share) in answer.err and "not copied rightly" in answer.err


def test_more_needed_than_there_are_is_refused(terminal: Terminal) -> None:
    """Nobody could ever bring them together."""
    out = str(terminal.folder / "shares")
    answer = terminal.type("keys", "escrow", "--shares", "2", "--needed", "3", "--out", out, *WHY)
    assert answer.code == Exit.WRONG and not Path(out).exists()


def test_the_doctor_looks_at_the_key(terminal: Terminal) -> None:
    """Whether what is sealed can be opened, before a daemon finds out."""
    for ok in (True, False):
        answer = terminal.type("doctor", "--offline", "--json")
        (check,) = [one for one in answer.records if one["check"] == "master key"]
        assert check["ok"] is ok
        key_file(terminal).path.unlink(missing_ok=True)
