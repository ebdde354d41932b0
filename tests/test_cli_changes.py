"""The life of a change at the terminal: who may type what, what is shown, and which exit code follows."""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path

import pytest
from rig import batch, message
from story import Answer, Terminal

from bridge.cli.output import Exit
from bridge.cli.policy import activate
from bridge.cli.root import opened
from bridge.config import load
from bridge.message import SYMPHONY, Cause, Outcome, Retention, Verdict
from bridge.policy import load as load_policies
from bridge.ports import Ruling
from bridge.proposals import Bar

ALICE, BOB = "alice.wong@bank.example", "bob.li@bank.example"
POLICY = """\
policy: desk
language: 1
title: Words are held
owner: compliance@bank.example
lists:
  words: { words: [alpha, beta], owner: compliance@bank.example, languages: [en] }
detectors:
  word: { type: words, list: words }
rules:
  - id: words
    title: Words are held
    because: a test
    severity: low
    when: { direction: both, finds: word }
    then: { hold: { queue: desk, decide_within: 15m, if_late: escalate } }
    tests:
      - { given: alpha, expect: hold }
"""


class Desk(Terminal):
    """A terminal at which people act under their names."""

    def says(self, person: str, *arguments: str) -> Answer:
        """What `person` gets for a command."""
        return self.type(*arguments, "--as", person, "--reason", "a reason")

    def write(self, text: str) -> None:
        """Save the policy."""
        (self.folder / "policies/desk.yaml").write_text(text)

    def approve_all(self) -> None:
        """The settings want approved changes."""
        self.settings('[policy]\nactivation = "approved"\nlegal_approvers = ["legal@bank.example"]\n')

    def in_force(self, number: int) -> None:
        """What a daemon does when a change is due."""

        async def work() -> None:
            async with opened(load(self.folder / "weighbridge.toml", {})) as store:
                await store.activate_change(number, Bar())

        asyncio.run(work())

    def watched(self) -> None:
        """What a daemon with `activation: watch` does with what is saved."""

        async def work() -> None:
            policies = load_policies([self.folder / "policies/desk.yaml"])
            async with opened(load(self.folder / "weighbridge.toml", {})) as store:
                await store.activate_policy(policies.hashes, "file on disk", "saved", policies.sources)

        asyncio.run(work())


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Desk:
    """Settings, one policy, and no store yet."""
    (tmp_path / "policies").mkdir()
    made = Desk(tmp_path, capsys)
    made.approve_all()
    made.write(POLICY)
    return made


@pytest.fixture
def begun(desk: Desk) -> Desk:
    """The first set is in force."""
    begin(desk)
    return desk


def begin(desk: Desk) -> None:
    """Put what is saved into force as change 1."""
    assert desk.says(ALICE, "policy", "propose").code == Exit.DONE
    assert desk.says(BOB, "policy", "approve", "1").code == Exit.DONE
    assert desk.says(BOB, "policy", "activate", "1").code == Exit.DONE
    desk.in_force(1)


def test_the_first_set(desk: Desk) -> None:
    """Proposed without a store, refused to its proposer, approved by another, planned without a daemon."""
    proposed = desk.says(ALICE, "policy", "propose")
    assert (proposed.code, "1 tests passed" in proposed.out) == (Exit.DONE, True)
    assert "weighbridge policy approve 1 --reason" in proposed.out
    own = desk.says(ALICE.upper(), "policy", "approve", "1")
    assert (own.code, "another person must" in own.err) == (Exit.FORBIDDEN, True)
    assert "It is approved" in desk.says(BOB, "policy", "approve", "1").out
    planned = desk.says(BOB, "policy", "activate", "1")
    assert (planned.code, "when one starts" in planned.out) == (Exit.DONE, True)


@pytest.mark.parametrize(
    ("text", "said"),
    [("policy: [", "error[P001]"), (POLICY.replace("expect: hold", "expect: block"), "error[P060]")],
    ids=["broken", "failing"],
)
def test_what_does_not_pass_is_not_proposed(desk: Desk, text: str, said: str) -> None:
    """The mistake is shown with its place, and no change has a number."""
    desk.write(text)
    answer = desk.says(ALICE, "policy", "propose")
    assert (answer.code, said in answer.err) == (Exit.WRONG, True)
    assert desk.type("policy", "show", "1").code != Exit.DONE


def test_what_is_in_force_already_is_not_proposed(begun: Desk) -> None:
    """The same bytes are no change."""
    answer = begun.says(ALICE, "policy", "propose")
    assert (answer.code, "nothing to propose" in answer.err) == (Exit.WRONG, True)


def test_what_was_never_approved_is_proposed_against_what_was(begun: Desk) -> None:
    """What came into force by the files alone may be proposed as it is, and what it loosened is ticked."""
    begun.write(POLICY.replace("[alpha, beta]", "[alpha]"))
    begun.watched()
    shown = begun.says(ALICE, "policy", "propose")
    assert (shown.code, "L1  LOOSER   list desk/words: words −beta" in shown.out) == (Exit.DONE, True)


def test_what_is_loosened_is_ticked(begun: Desk) -> None:
    """Shown first with its mark; refused without it, by name; then approved, and the record has the tick."""
    begun.write(POLICY.replace("[alpha, beta]", "[alpha]").replace("Words are held\n", "One word\n", 1))
    shown = begun.says(ALICE, "policy", "propose").out
    assert "L1  LOOSER   list desk/words: words −beta" in shown
    refused = begun.says(BOB, "policy", "approve", "2")
    assert (refused.code, "L1 (words)" in refused.err) == (Exit.FORBIDDEN, True)
    assert begun.says(BOB, "policy", "approve", "2", "--looser", "gifts").code == Exit.FORBIDDEN
    assert begun.says(BOB, "policy", "approve", "2", "--looser", "words").code == Exit.DONE
    assert "(ticked L1)" in begun.type("policy", "show", "2").out
    whole = json.loads(begun.type("policy", "show", "2", "--json").out)
    assert (whole["state"], whole["differences"][0]["direction"]) == ("approved", "LOOSER")


def test_a_file_left_out_is_loosened(desk: Desk) -> None:
    """The set is complete: what is not named no longer decides, and that is shown."""
    other = desk.folder / "policies/other.yaml"
    other.write_text(POLICY.replace("policy: desk", "policy: other"))
    begin(desk)
    answer = desk.says(ALICE, "policy", "propose", str(desk.folder / "policies/desk.yaml"))
    assert "L1  LOOSER   policy other: removed" in answer.out
    assert "L2  LOOSER   rule other/words: removed" in answer.out


WALLS = """\
policy: walls
language: 1
title: Research and the desk do not talk
owner: legal@bank.example
groups:
  research: { symphony: ["*@bank.example"] }
  clients: { weixin: ["*"] }
barriers:
  - { id: research, between: [research, clients], then: block, because: a test }
retention:
  - { for: [research], keep: 2557d }
  - { keep: 5y }
"""


@pytest.mark.parametrize("how", ["left out", "renamed"])
def test_walls_do_not_go_without_legal(desk: Desk, how: str) -> None:
    """To leave the file with the walls out, or to give it another name, is legal's to agree to as well, and
    each wall has its mark."""
    walls = desk.folder / "policies/walls.yaml"
    walls.write_text(WALLS)
    begin(desk)
    walls.unlink() if how == "left out" else walls.write_text(WALLS.replace("policy: walls", "policy: w"))
    shown = desk.says(ALICE, "policy", "propose").out
    assert "LOOSER   barrier walls/research: removed" in shown
    agreed = desk.says(BOB, "policy", "approve", "2", "--all-looser")
    assert (agreed.code, "--role legal" in agreed.out) == (Exit.DONE, True)
    assert desk.says(BOB, "policy", "activate", "2").code == Exit.NO


@pytest.mark.parametrize("how", ["shorter", "longer", "gone"])
def test_what_a_change_of_retention_concerns_is_shown_first(desk: Desk, how: str) -> None:
    """How many stored records there are of a changed class: nobody approves it without having named the
    number, and they keep their terms."""
    kept = POLICY + "retention:\n  - { id: records, keep: 7y }\n"
    desk.write(kept)
    begin(desk)
    asyncio.run(_a_record(desk, Retention("desk/records", "7y")))
    desk.write({"shorter": kept.replace("7y", "5y"), "longer": kept.replace("7y", "9y"), "gone": POLICY}[how])
    shown = desk.says(ALICE, "policy", "propose").out
    assert "1 stored records of desk/records keep the terms they have" in shown
    refused = desk.says(BOB, "policy", "approve", "2", "--all-looser")
    assert (refused.code, "--records 1" in refused.err) == (Exit.FORBIDDEN, True)
    assert desk.says(BOB, "policy", "approve", "2", "--all-looser", "--records", "1").code == Exit.DONE


async def _a_record(desk: Desk, keep: Retention) -> None:
    """A message that was judged under a class."""
    async with opened(load(desk.folder / "weighbridge.toml", {})) as store:
        await store.own("the test")
        await store.archive(batch(message(SYMPHONY, 900)))
        (archived,) = await store.unjudged(9)
        verdict = Verdict(Outcome.DELIVER, Cause.DEFAULT, "", retention=(keep,))
        await store.record_rulings([Ruling(archived, verdict)])
        await store.leave()


def test_warnings_are_errors_at_approval(begun: Desk) -> None:
    """Proposed with a warning, it can only be mended and proposed again."""
    begun.write(POLICY.replace("    because: a test\n", ""))
    proposed = begun.says(ALICE, "policy", "propose")
    assert (proposed.code, "errors at approval" in proposed.err) == (Exit.DONE, True)
    refused = begun.says(BOB, "policy", "approve", "2", "--all-looser")
    assert (refused.code, "desk.yaml:10 P033" in refused.err) == (Exit.FORBIDDEN, True)


def test_a_commit_is_recorded(desk: Desk) -> None:
    """With --from-git the commit is kept; a file that differs from it is refused, as is a folder without."""
    outside = desk.says(ALICE, "policy", "propose", "--from-git")
    assert (outside.code, "no git repository" in outside.err) == (Exit.WRONG, True)
    git = ["git", "-C", str(desk.folder), "-c", "user.name=x", "-c", "user.email=x@bank.example"]
    for arguments in (["init", "-q"], ["add", "policies"], ["commit", "-q", "-m", "policies"]):
        subprocess.run([*git, *arguments], check=True, capture_output=True)
    assert desk.says(ALICE, "policy", "propose", "--from-git").code == Exit.DONE
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout
    assert head.strip() in desk.type("policy", "show", "1").out
    desk.write(POLICY + "# more\n")
    changed = desk.says(ALICE, "policy", "propose", "--from-git")
    assert (changed.code, "desk.yaml" in changed.err) == (Exit.WRONG, True)


def test_a_report_that_does_not_exist_speaks_for_nothing(desk: Desk) -> None:
    """A back-test is named only when it was made."""
    assert desk.says(ALICE, "policy", "propose", "--backtest", "bt-none").code == Exit.NO


@pytest.mark.parametrize("at", ["tomorrow", "2099-01-01 09:00", "2020-01-01 09:00+08:00"])
def test_a_time_is_to_come_and_has_a_zone(begun: Desk, at: str) -> None:
    """Nobody guesses what "09:00" means, and nothing is planned for the past."""
    assert begun.says(BOB, "policy", "activate", "1", "--at", at).code == Exit.WRONG


def test_a_plan_for_later_says_when(desk: Desk) -> None:
    """In UTC, as everything that is listed."""
    desk.says(ALICE, "policy", "propose")
    desk.says(BOB, "policy", "approve", "1")
    answer = desk.says(BOB, "policy", "activate", "1", "--at", "2099-01-01 09:00+08:00")
    assert "2099-01-01 01:00:00Z" in answer.out
    assert (
        "due        2099-01-01 01:00:00Z, said by bob.li@bank.example" in desk.type("policy", "show", "1").out
    )


def test_what_was_overtaken_is_shown_and_withdrawn(begun: Desk) -> None:
    """Two were approved against one set: with the one in force the other is dead, says so, and ends."""
    for number, word in ((2, "gamma"), (3, "delta")):
        begun.write(POLICY.replace("[alpha, beta]", f"[alpha, beta, {word}]"))
        begun.says(ALICE, "policy", "propose")
        begun.says(BOB, "policy", "approve", str(number))
    assert "overtaken" not in begun.type("policy", "history").err
    begun.says(BOB, "policy", "activate", "2")
    begun.in_force(2)
    assert "change     3: approved, overtaken" in begun.type("policy", "show", "3").out
    assert json.loads(begun.type("policy", "show", "3", "--json").out)["overtaken"] is True
    assert "Change 3 is overtaken" in begun.type("policy", "history").err
    assert begun.says(ALICE, "policy", "withdraw", "3").code == Exit.DONE
    assert "overtaken" not in begun.type("policy", "history").err
    assert "overtaken" not in begun.type("policy", "show", "2").out


def test_what_going_back_loosens_is_ticked(begun: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Back to a set that finds less: shown and refused without the tick, done with it, and on record."""
    monkeypatch.setattr(activate, "PATIENCE", 0.0)
    begun.write(POLICY.replace("[alpha, beta]", "[alpha, beta, gamma]"))
    begun.says(ALICE, "policy", "propose")
    begun.says(BOB, "policy", "approve", "2")
    begun.says(BOB, "policy", "activate", "2")
    begun.in_force(2)
    refused = begun.says(BOB, "policy", "rollback")
    assert (refused.code, "L1 (words)" in refused.err) == (Exit.FORBIDDEN, True)
    assert "L1  LOOSER   list desk/words: words −gamma" in refused.out
    assert begun.says(BOB, "policy", "rollback", "--looser", "L1").code == Exit.DONE
    rows = [json.loads(line) for line in begun.type("policy", "history", "--json").out.splitlines()]
    act = rows[-1]["act"]
    assert (act["person"], act["ticked"], act["looser"][0]["before"]) == (BOB, ["L1"], ["gamma"])


def test_where_files_decide_nothing_is_activated(begun: Desk) -> None:
    """With `watch` these two commands would promise what does not happen: they say so."""
    begun.settings("")
    for command in (["activate", "1"], ["rollback"]):
        answer = begun.says(BOB, "policy", *command)
        assert (answer.code, 'activation is "watch"' in answer.err) == (Exit.WRONG, True)


def test_back_needs_somewhere_to_go(begun: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused after the first set; after the second it leads to the first."""
    monkeypatch.setattr(activate, "PATIENCE", 0.0)
    assert begun.says(BOB, "policy", "rollback").code == Exit.NO
    begun.write(POLICY + "# more\n")
    begun.says(ALICE, "policy", "propose")
    begun.says(BOB, "policy", "approve", "2")
    begun.says(BOB, "policy", "activate", "2")
    begun.in_force(2)
    assert "Back to change 1" in begun.says(BOB, "policy", "rollback").out
    begun.in_force(1)
    shown = begun.type("policy", "history").out
    assert "rolled-back" in shown and "rollback for" in shown


def test_ends(desk: Desk) -> None:
    """Withdrawn by whom it is, rejected by another."""
    desk.says(ALICE, "policy", "propose")
    desk.write(POLICY + "# more\n")
    desk.says(ALICE, "policy", "propose")
    assert desk.says(BOB, "policy", "withdraw", "1").code == Exit.FORBIDDEN
    assert desk.says(ALICE, "policy", "withdraw", "1").code == Exit.DONE
    assert desk.says(BOB, "policy", "reject", "2").code == Exit.DONE
    assert desk.says(BOB, "policy", "approve", "2").code == Exit.NO


def test_history_says_who_and_why(begun: Desk) -> None:
    """Every step, oldest first; the same with every fact as JSON."""
    lines = begun.type("policy", "history").out.splitlines()
    assert [line.split("  ")[1].split()[0] for line in lines[1:]] == [
        "proposed",
        "approved",
        "scheduled",
        "activated",
    ]
    rows = begun.type("policy", "history", "--json").records
    assert [(row["change"], row["person"], row["reason"]) for row in rows][:2] == [
        (1, ALICE, "a reason"),
        (1, BOB, "a reason"),
    ]


def test_the_red_button_at_the_terminal(begun: Desk) -> None:
    """Frozen once, shown by `status`, thawed once; who and why are in the history."""
    assert begun.says(BOB, "freeze").code == Exit.DONE
    assert begun.says(ALICE, "freeze").code == Exit.NO
    assert "✗ frozen     since" in begun.type("status").out
    assert begun.says(ALICE, "unfreeze").code == Exit.DONE
    assert begun.says(ALICE, "unfreeze").code == Exit.NO
    assert "✗ frozen" not in begun.type("status").out
    assert begun.type("policy", "history", "--json").records[-1]["kind"] == "house:unfrozen"
