"""`weighbridge policy diff`: what gets looser first, in the language of the reader, with an exit code."""

from __future__ import annotations

from pathlib import Path

import pytest
import traffic
from rig import Clock, Hands, new_store, opened
from story import Terminal

from bridge.cli.output import Exit

LOOSER = traffic.DESK.replace("finds: card }", "finds: account }")
TIGHTER = traffic.DESK.replace("[gift, 红包]", "[gift, 红包, voucher]")


@pytest.fixture
async def terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Terminal:
    """A terminal beside a store in which the desk's policy is in force, and drafts of it."""
    new_store(tmp_path)
    hands = Hands(opened(tmp_path, Clock()), Clock())
    await hands.store.own("the test")
    ready = traffic.policies()
    await hands.store.activate_policy(ready.hashes, "daemon", "start", ready.sources)
    hands.store.close()
    for name, text in (("desk", traffic.DESK), ("looser", LOOSER), ("tighter", TIGHTER)):
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
    return Terminal(tmp_path, capsys)


def test_a_draft_is_held_against_what_is_in_force(terminal: Terminal) -> None:
    """`live` is what the store says decides; each change is a line, the looser ones first."""
    answer = terminal.type("policy", "diff", "live", str(terminal.folder / "looser.yaml"))
    assert answer.out.splitlines() == [
        "LOOSER   rule desk/cards: when.finds −card",
        "TIGHTER  rule desk/cards: when.finds +account",
    ]
    assert (answer.code, "1 LOOSER, 1 TIGHTER" in answer.err) == (Exit.DONE, True)


def test_nothing_changed_is_said(terminal: Terminal) -> None:
    """Equal sides print nothing but that."""
    answer = terminal.type("policy", "diff", "live", str(terminal.folder / "desk.yaml"))
    assert (answer.code, answer.out, answer.err) == (Exit.DONE, "", "No difference.\n")


@pytest.mark.parametrize(
    ("draft", "fail_on", "code"),
    [
        ("looser", "looser", Exit.NO), ("tighter", "looser", Exit.DONE), ("tighter", "change", Exit.NO),
        ("desk", "change", Exit.DONE), ("looser", "never", Exit.DONE),
    ],
)  # fmt: skip
def test_the_exit_code_is_what_was_asked_for(
    terminal: Terminal, draft: str, fail_on: str, code: Exit
) -> None:
    """A pipeline may stop at anything looser, or at any change at all."""
    sides = str(terminal.folder / "desk.yaml"), str(terminal.folder / f"{draft}.yaml")
    assert terminal.type("policy", "diff", *sides, "--fail-on", fail_on).code == code


def test_changes_are_told_in_chinese_and_to_programs(terminal: Terminal) -> None:
    """The sentence is translated; the JSON has the values as they are."""
    sides = "live", str(terminal.folder / "tighter.yaml")
    assert (
        "词表 desk/gifts：words +voucher" in terminal.type("policy", "diff", *sides, "--lang", "zh-Hans").out
    )
    (record,) = terminal.type("policy", "diff", *sides, "--json").records
    assert (record["direction"], record["section"], record["after"]) == ("TIGHTER", "list", ["voucher"])


def test_folders_are_sets(terminal: Terminal) -> None:
    """A folder stands for the files in it; one without any is refused."""
    for name in ("one", "other", "empty"):
        (terminal.folder / name).mkdir()
    (terminal.folder / "one" / "desk.yaml").write_text(traffic.DESK, encoding="utf-8")
    (terminal.folder / "other" / "desk.yaml").write_text(TIGHTER, encoding="utf-8")
    folders = [str(terminal.folder / name) for name in ("one", "other", "empty")]
    assert terminal.type("policy", "diff", *folders[:2]).out.startswith("TIGHTER")
    answer = terminal.type("policy", "diff", folders[0], folders[2])
    assert (answer.code, "no policy files in" in answer.err) == (Exit.WRONG, True)


def test_a_broken_draft_is_explained(terminal: Terminal) -> None:
    """Every error with its place, as `check` says it; a failing test is only mentioned."""
    broken = terminal.folder / "broken.yaml"
    broken.write_text(traffic.DESK.replace("finds: card }", "finds: cardd }"), encoding="utf-8")
    answer = terminal.type("policy", "diff", "live", str(broken))
    assert answer.code == Exit.WRONG and "P020" in answer.err
    failing = TIGHTER.replace(
        "then: { block: true }", "then: { block: true }\n    tests: [{ given: x, expect: block }]"
    )
    broken.write_text(failing, encoding="utf-8")
    answer = terminal.type("policy", "diff", "live", str(broken))
    assert answer.code == Exit.DONE and "1 test(s) inside the rules fail" in answer.err
