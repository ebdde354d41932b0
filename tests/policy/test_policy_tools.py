"""The commands that write: `weighbridge policy schema`, `fmt`, `promote`, `add-test`, as people run them."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner
from policy_rig import one_rule

from bridge.cli.policy import policy
from bridge.policy.formatting import formatted


def run(*arguments: str | Path, answer: str = "") -> tuple[int, str]:
    """Exit code and output of `weighbridge policy ...`."""
    result = CliRunner().invoke(policy, [str(argument) for argument in arguments], input=answer)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A place for a policy file."""
    return tmp_path / "p.yaml"


# --- schema ---------------------------------------------------------------------------------------------


def test_the_schema_knows_the_names_of_a_file(file: Path) -> None:
    """With `--for`, what the file defines is what may be named, also while the file is not right yet."""
    file.write_text(one_rule().replace("finds: card", "finds: crad"), encoding="utf-8")
    code, output = run("schema", "--for", file)
    assert code == 0 and '"card"' in json.dumps(json.loads(output)["$defs"]["When"]["properties"]["finds"])


def test_the_schema_is_written_where_it_is_wanted(file: Path) -> None:
    """`--out` writes a file; a folder that is not there is said in a sentence."""
    out = file.parent / "s.json"
    assert run("schema", "--out", out) == (0, "")
    assert json.loads(out.read_text(encoding="utf-8"))["$schema"].endswith("2020-12/schema")
    code, output = run("schema", "--out", file.parent / "no" / "s.json")
    assert code == 2 and "cannot be written" in output


def test_a_schema_for_what_is_no_yaml_is_refused(file: Path) -> None:
    """The mistake is shown."""
    file.write_text("policy: [", encoding="utf-8")
    code, output = run("schema", "--for", file)
    assert code == 2 and "error[P001]" in output


# --- fmt ------------------------------------------------------------------------------------------------

UNTIDY = one_rule().replace("title: t\n", "title:   't' # why\n")


def test_fmt_writes_in_one_step_and_keeps_the_rights(file: Path) -> None:
    """The file is what `formatted` says, with the rights it had; again, nothing changes."""
    file.write_text(UNTIDY, encoding="utf-8")
    file.chmod(0o640)
    assert run("fmt", file) == (0, f"formatted: {file}\n1 changed, 0 as they should be, 0 refused\n")
    assert file.read_text(encoding="utf-8") == formatted(UNTIDY)
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert [path.name for path in file.parent.iterdir()] == ["p.yaml"]
    assert run("fmt", file) == (0, "0 changed, 1 as they should be, 0 refused\n")


@pytest.mark.parametrize("option", ["--check", "--diff"])
def test_fmt_can_look_without_writing(file: Path, option: str) -> None:
    """Exit code 1 says that something would change; nothing is written."""
    file.write_text(UNTIDY, encoding="utf-8")
    code, output = run("fmt", option, file)
    assert code == 1 and "p.yaml" in output and "1 would change" in output
    assert ("+title: t " in output) == (option == "--diff")
    assert file.read_text(encoding="utf-8") == UNTIDY


def test_fmt_leaves_a_broken_file_alone(file: Path) -> None:
    """What does not load is shown and not touched; the other files are formatted all the same."""
    other = file.parent / "other.yaml"
    file.write_text(UNTIDY.replace("finds: card", "finds: crad"), encoding="utf-8")
    other.write_text(UNTIDY, encoding="utf-8")
    code, output = run("fmt", file, other, file.parent / "none.yaml")
    assert code == 2 and "error[P020]" in output and "error[P008]" in output
    assert "crad" in file.read_text(encoding="utf-8") and "'t'" in file.read_text(encoding="utf-8")
    assert "1 changed, 0 as they should be, 2 refused" in output


# --- promote --------------------------------------------------------------------------------------------

WATCHED = one_rule(
    more="    mode: monitor  # nobody is affected\n",
    top="groups: { sales: { symphony: alice.wong@bank.example } }\n",
    when="{ direction: to_weixin, finds: card }",
) + (
    "    tests:\n"
    "      - { given: 4111111111111111, would: block, expect: deliver }  # a card\n"
    "      - { given: hello, expect: deliver }\n"
)


def test_promote_enforces_and_rewrites_the_tests(file: Path) -> None:
    """The rule acts, its tests say so, the rest of the file is as it was; the difference is shown."""
    file.write_text(WATCHED, encoding="utf-8")
    code, output = run("promote", "rule", "--file", file)
    assert code == 0 and "+    mode: enforce" in output and "1 test(s) rewritten" in output
    expected = WATCHED.replace("monitor  #", "enforce  #").replace(
        "would: block, expect: deliver", "expect: block"
    )
    assert file.read_text(encoding="utf-8") == expected
    assert run("test", file)[0] == 0
    code, output = run("promote", "rule", "--file", file)
    assert code == 1 and "already" in output


def test_promote_writes_nothing_for_a_look(file: Path) -> None:
    """`--dry-run` shows the same difference."""
    file.write_text(WATCHED, encoding="utf-8")
    code, output = run("promote", "rule", "--file", file, "--dry-run")
    assert code == 0 and "+    mode: enforce" in output and "Nothing was written" in output
    assert file.read_text(encoding="utf-8") == WATCHED


def test_promote_writes_nothing_when_a_test_fails(file: Path) -> None:
    """A test of another rule that did not expect it, for example: it is named."""
    other = WATCHED + (
        "  - id: other\n    title: o\n    because: b\n    severity: low\n    mode: monitor\n"
        "    when: { direction: both, finds: card }\n    then: { tag: x }\n"
        "    tests: [{ given: card 4111111111111111, expect: deliver }]\n"
    )
    file.write_text(other, encoding="utf-8")
    code, output = run("promote", "rule", "--file", file)
    assert code == 1 and "✗ other · card 4111111111111111 · expected deliver, got block" in output
    assert "Nothing was changed." in output
    assert file.read_text(encoding="utf-8") == other


def test_a_test_is_not_written_twice(file: Path) -> None:
    """A test that is there already would show nothing; another note makes no other test."""
    file.write_text(WATCHED, encoding="utf-8")
    again = ["add-test", "rule", "--file", file, "--given", "hello", "--expect", "deliver", "--note", "again"]
    code, output = run(*again)
    assert code == 1 and "`rule` has this test already" in output
    assert file.read_text(encoding="utf-8") == WATCHED
    assert run(*again, "--kind", "file")[0] == 0


def test_promote_for_a_part(file: Path) -> None:
    """A group or a percentage; a test whose sender is outside keeps its expectation."""
    file.write_text(WATCHED, encoding="utf-8")
    code, output = run("promote", "rule", "--file", file, "--groups", "sales")
    assert code == 0 and "0 test(s) rewritten" in output and "for sales" in output
    rollout = "    mode: enforce  # nobody is affected\n    rollout: { groups: [sales] }\n"
    assert rollout in file.read_text(encoding="utf-8")
    code, output = run("promote", "rule", "--file", file, "--groups", "nobody")
    assert code == 2 and "nobody" in output
    for wrong in (["--rollout", "0%"], ["--rollout", "many"], ["--rollout", "5%", "--groups", "sales"]):
        assert run("promote", "rule", "--file", file, *wrong)[0] == 2
    code, output = run("promote", "rule", "--file", file)
    assert code == 0 and "for everybody" in output and "rollout" not in file.read_text(encoding="utf-8")


def test_the_file_of_a_rule_is_found(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In `policies/`; a wrong name gets a suggestion, two files with one rule get a question."""
    monkeypatch.chdir(file.parent)
    folder = file.parent / "policies"
    folder.mkdir()
    (folder / "a.yaml").write_text(WATCHED, encoding="utf-8")
    code, output = run("promote", "rulle", "--dry-run")
    assert code == 2 and "did you mean `rule`?" in output
    assert run("promote", "rule", "--dry-run")[0] == 0
    (folder / "b.yaml").write_text(WATCHED.replace("policy: p", "policy: q"), encoding="utf-8")
    code, output = run("promote", "rule", "--dry-run")
    assert code == 2 and "--file" in output


# --- add-test -------------------------------------------------------------------------------------------


def test_a_test_is_added_when_it_passes(file: Path) -> None:
    """In the style of the file, and the file still loads."""
    file.write_text(WATCHED, encoding="utf-8")
    code, output = run(
        *("add-test", "rule", "--file", file, "--given", "order: 4111111111111112", "--expect", "deliver"),
        *("--note", "the check digit is wrong"),
    )
    added = '      - { given: "order: 4111111111111112", expect: deliver, note: the check digit is wrong }\n'
    assert code == 0 and "passes" in output and f"+{added}" in output
    assert file.read_text(encoding="utf-8") == WATCHED + added


def test_a_test_that_fails_is_refused_or_said_to_fail(file: Path) -> None:
    """Nothing is written; with `--failing` it is, and the file is refused until the rule is mended."""
    file.write_text(WATCHED, encoding="utf-8")
    wrong = ["add-test", "rule", "--file", file, "--given", "hello", "--expect", "hold"]
    code, output = run(*wrong)
    assert code == 1 and "✗ rule · hello · expected hold, got deliver" in output and "--failing" in output
    assert file.read_text(encoding="utf-8") == WATCHED
    code, output = run(*wrong, "--failing", "--dry-run")
    assert code == 0 and file.read_text(encoding="utf-8") == WATCHED
    code, output = run(*wrong, "--failing")
    assert code == 0 and "refused until the rule is mended" in output
    assert run("test", file)[0] == 1 and run("check", file)[0] == 1


def test_a_test_can_say_everything(file: Path) -> None:
    """Sender, network, time, several messages, what would have happened."""
    file.write_text(WATCHED, encoding="utf-8")
    code, _ = run(
        *("add-test", "rule", "--file", file, "--given", "hello", "--given", "4111111111111111"),
        *(
            "--expect",
            "deliver",
            "--would",
            "block",
            "--sender",
            "alice.wong@bank.example",
            "--from",
            "symphony",
        ),
        *("--at", "2026-11-20 23:10"),
    )
    assert code == 0
    written = file.read_text(encoding="utf-8").splitlines()[-1]
    assert written.endswith(
        '{ given: [hello, "4111111111111111"], from: symphony, sender: alice.wong@bank.example, '
        'at: "2026-11-20 23:10", would: block, expect: deliver }'
    )


# --- test -----------------------------------------------------------------------------------------------

MASKING = one_rule(then="{ redact: { keep_last: 4 } }") + (
    "    tests:\n"
    "      - { given: card 4111111111111111, expect: redact, becomes: card ***1111 }\n"
    "      - { given: hello, expect: hold, becomes: hello! }\n"
)


def test_coverage_names_what_is_never_reached(file: Path) -> None:
    """A line for each sort of thing, below the file's name."""
    file.write_text(WATCHED, encoding="utf-8")
    code, output = run("test", "--coverage", file)
    assert code == 0
    assert output.splitlines() == [
        str(file),
        "  rules      1 of 1  100%",
        "  detectors  1 of 1  100%",
        "  outcomes   2 of 2  100%",
        "2 passed, 0 failed",
    ]
    file.write_text(WATCHED.replace("4111111111111111, would: block,", "hi,"), encoding="utf-8")
    assert "  rules      0 of 1   0%  never reached: rule" in run("test", "--coverage", file)[1].splitlines()


def test_results_are_written_for_programs(file: Path) -> None:
    """JUnit into a file, JSON to the output; the exit code is the same."""
    file.write_text(MASKING, encoding="utf-8")
    code, output = run("test", "--json", "--junit", file.parent / "r.xml", file)
    assert code == 1 and json.loads(output)["failed"] == 2
    assert (file.parent / "r.xml").read_text(encoding="utf-8").count("<failure ") == 2


def test_update_rewrites_masked_texts_alone(file: Path) -> None:
    """Shown first, written when agreed to; a test with another outcome is not made to pass."""
    file.write_text(MASKING, encoding="utf-8")
    code, output = run("test", "--update", file)
    assert code == 1 and "becomes: card ************1111" in output.replace('"', "") and "--yes" in output
    assert file.read_text(encoding="utf-8") == MASKING
    code, output = run("test", "--update", "--yes", file)
    assert code == 1 and output.endswith("1 passed, 1 failed\n")
    after = file.read_text(encoding="utf-8")
    assert after.replace('"card ************1111"', "card ***1111") == MASKING
    assert "nothing to update" in run("test", "--update", "--yes", file)[1]
