"""`weighbridge outbox`: an operator sees what does not move and why, and gives it a push or gives it up."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from story import REVIEWER, Terminal, copy_of_the_story

from bridge.cli.output import Exit


@pytest.fixture
def terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Terminal:
    """A terminal on a copy of the story."""
    copy_of_the_story(tmp_path)
    return Terminal(tmp_path, capsys)


def permit(terminal: Terminal, state: str) -> str:
    """The permit of the one delivery in this state."""
    (row,) = terminal.type("outbox", "list", "--state", state, "--json").records
    return str(row["permit"])


def state_of(terminal: Terminal, one: str) -> dict:
    """The delivery as it stands now."""
    states = [word for name in ("ready", "claimed", "sent", "dropped") for word in ("--state", name)]
    rows = terminal.type("outbox", "list", "--json", "--limit", "999", *states).records
    return next(row for row in rows if row["permit"] == one)


def test_the_list_has_everything_that_is_not_finished(terminal: Terminal) -> None:
    """Parked, failed, claimed and due deliveries in the order of the outbox; what was sent is not shown."""
    rows = terminal.type("outbox", "list", "--json").records
    assert [row["state"] for row in rows] == ["parked", "failed", "claimed", "ready"]
    assert [row["id"] for row in rows] == sorted(row["id"] for row in rows)


def test_the_list_is_a_table_for_people(terminal: Terminal) -> None:
    """A person reads who, to whom, into which network, how often tried, and why it stands still."""
    answer = terminal.type("outbox", "list", "--state", "parked")
    head, line = answer.out.splitlines()
    assert head.split() == ["PERMIT", "MESSAGE", "STATE", "FROM", "TO", "INTO", "TRIES", "AGE", "WHY"]
    assert "Alice Wong" in line
    assert line.endswith("compliance")


def test_who_waits_for_archives_and_who_behind(terminal: Terminal) -> None:
    """A delivery that waits for its archives says so, and so does each one behind it in its conversation."""
    with sqlite3.connect(terminal.folder / "weighbridge.db") as db:
        chosen = db.execute("SELECT id, network, conversation FROM deliveries ORDER BY id LIMIT 2").fetchall()
        where = chosen[0][1:]
        for (one, *_), at in zip(chosen, (1 << 62, 0), strict=True):
            values = (at, *where, one)
            db.execute(
                "UPDATE deliveries SET state = 'ready', reason = '', next_at = ?, network = ?, "
                "conversation = ? WHERE id = ?",
                values,
            )
    lines = terminal.type("outbox", "list", "--state", "ready").out.splitlines()
    assert lines[1].endswith(" waits for its archives")
    assert lines[2].endswith(" behind one that waits for its archives")


def test_states_can_be_chosen(terminal: Terminal) -> None:
    """`--state` may be given more than once; finished ones come when asked for."""
    rows = terminal.type("outbox", "list", "--json", "--state", "dropped", "--state", "parked").records
    assert sorted({row["state"] for row in rows}) == ["dropped", "parked"]
    assert {row["reason"] for row in rows if row["state"] == "dropped"} == {"dropped", "sent anew"}


def test_a_cut_list_says_so(terminal: Terminal) -> None:
    """When `--limit` was reached, standard error says that there may be more."""
    answer = terminal.type("outbox", "list", "--limit", "2")
    assert len(answer.out.splitlines()) == 3
    assert "--limit" in answer.err


def test_what_waits_behind_a_closed_window_is_counted(terminal: Terminal, tmp_path: Path) -> None:
    """One delivery waits for its window and keeps those behind it: the list says how many."""
    with sqlite3.connect(next(tmp_path.rglob("weighbridge.db"))) as db:
        (chat,) = db.execute("SELECT network, conversation FROM deliveries WHERE state = 'claimed'")
        db.execute("UPDATE deliveries SET state = 'waiting', reason = 'window' WHERE state = 'claimed'")
        db.execute("UPDATE deliveries SET network = ?, conversation = ? WHERE state = 'ready'", chat)
    (row,) = terminal.type("outbox", "list", "--state", "waiting", "--json").records
    assert row["behind"] == 1
    answer = terminal.type("outbox", "list", "--state", "waiting")
    assert answer.out.splitlines()[1].endswith("window, and 1 behind it")


def test_an_outbox_in_order_says_so(terminal: Terminal) -> None:
    """Nothing in the state asked for: an empty output and a sentence."""
    answer = terminal.type("outbox", "list", "--state", "waiting")
    assert (answer.code, answer.out) == (Exit.DONE, "")
    assert "in order" in answer.err


def test_retry_puts_a_parked_delivery_back(terminal: Terminal) -> None:
    """A parked delivery is due again, as if for the first time, and the act is on record."""
    one = permit(terminal, "parked")
    answer = terminal.type("outbox", "retry", one, "--reason", "unblocked", "--as", REVIEWER)
    assert (answer.code, answer.err) == (Exit.DONE, "")
    assert one in answer.out
    now = state_of(terminal, one)
    assert (now["state"], now["attempt"], now["reason"]) == ("ready", 0, "")
    (found,) = terminal.type("audit", "show", str(now["message"]), "--json").records
    acts = [(entry["person"], entry["reason"]) for entry in found["entries"] if entry["person"]]
    assert acts == [(REVIEWER, "unblocked")]


def test_retry_sends_a_failed_delivery_under_a_new_permit(terminal: Terminal) -> None:
    """The network would take the old key for a repetition: the failed one is dropped, a new one is due."""
    one = permit(terminal, "failed")
    before = {row["permit"] for row in terminal.type("outbox", "list", "--json").records}
    assert terminal.type("outbox", "retry", one, "--reason", "they unblocked us").code == Exit.DONE
    after = {row["permit"] for row in terminal.type("outbox", "list", "--json").records}
    assert one not in after
    assert len(after - before) == 1


def test_what_is_being_sent_is_not_retried(terminal: Terminal) -> None:
    """A claimed delivery belongs to the room that sends it: a person's retry would send it twice."""
    one = permit(terminal, "claimed")
    answer = terminal.type("outbox", "retry", one, "--reason", "impatient")
    assert answer.code == Exit.NO
    assert "not parked, waiting, failed" in answer.err
    assert state_of(terminal, one)["state"] == "claimed"


def test_drop_gives_a_delivery_up(terminal: Terminal) -> None:
    """Dropped, it will never be made, and cannot be retried."""
    one = permit(terminal, "parked")
    assert terminal.type("outbox", "drop", one, "--reason", "said by telephone").code == Exit.DONE
    assert state_of(terminal, one)["state"] == "dropped"
    assert terminal.type("outbox", "retry", one, "--reason", "after all").code == Exit.NO


def test_a_permit_that_does_not_exist_is_refused(terminal: Terminal) -> None:
    """A mistyped permit changes nothing and says so."""
    for verb in ("retry", "drop"):
        answer = terminal.type("outbox", verb, "0" * 20, "--reason", "typo")
        assert answer.code == Exit.NO
        assert "does not exist" in answer.err
