"""`weighbridge policy check`, `explain` and `try`, as people type them: words, formats, languages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bridge.cli import weighbridge
from bridge.cli.policy.speech import spoken

POLICY = """policy: desk
language: 1
title: A desk
owner: compliance@bank.example
timezone: Asia/Hong_Kong
groups: { clients: { weixin: "tag:客户" } }
detectors:
  card: { type: payment_card }
rules:
  - id: cards
    title: Cards are masked
    because: memo 7
    severity: high
    when: { direction: to_weixin, finds: card }
    then: { redact: { keep_last: 4 }, tag: pii }
    tests: [{ given: 4111 1111 1111 1111, expect: redact }]
  - id: late
    title: Clients write in the day
    because: memo 8
    severity: low
    when: { direction: to_symphony, groups: clients, outside: { hours: "09:00-18:30" } }
    then: { hold: { decide_within: 30m, if_late: escalate } }
    tests: [{ given: hi, sender: "tag:客户", at: "2026-11-20 23:10", expect: hold }]
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with one policy, and a terminal that speaks English."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "desk.yaml").write_text(POLICY, encoding="utf-8")
    return tmp_path


def run(*arguments: str, typed: str | None = None) -> Result:
    """What `weighbridge policy ...` answers."""
    return CliRunner().invoke(weighbridge, ["policy", *arguments], input=typed)


# --- languages ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({}, "en"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh-Hans"),
        ({"LANG": "zh_SG"}, "zh-Hans"),
        ({"LANG": "zh_HK.UTF-8"}, "zh-Hant"),
        ({"LANG": "zh_TW.Big5"}, "zh-Hant"),
        ({"LANG": "zh_Hant_MO.UTF-8"}, "zh-Hant"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "en_GB.UTF-8"}, "en"),
        ({"LANG": "en_GB.UTF-8", "LC_MESSAGES": "zh_HK.UTF-8"}, "zh-Hant"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": ""}, "zh-Hans"),
    ],
)
def test_the_language_is_that_of_the_terminal(environment: dict[str, str], language: str) -> None:
    """LC_ALL before LC_MESSAGES before LANG; Hong Kong, Macau and Taiwan read Traditional characters."""
    assert spoken(environment) == language


def test_an_option_wins_over_the_environment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--lang` is a person's choice; without it the environment speaks."""
    monkeypatch.setenv("LANG", "zh_HK.UTF-8")
    (folder / "policies" / "desk.yaml").write_text(POLICY.replace("finds: card", "finds: crad"))
    assert "錯誤[P020]" in run("check").output and "1 個檔案，1 個錯誤" in run("check").output
    assert "error[P020]" in run("check", "--lang", "en").output
    assert "是不是想写 `card`？" in run("check", "--lang", "zh-Hans").output


# --- check ----------------------------------------------------------------------------------------------


def test_warnings_fail_only_when_asked(folder: Path) -> None:
    """`--strict` is for whoever merges a change."""
    (folder / "policies" / "desk.yaml").write_text(POLICY.replace("    because: memo 7\n", ""))
    assert run("check").exit_code == 0
    strict = run("check", "--strict")
    assert strict.exit_code == 1 and "warning[P033]" in strict.output


def test_each_format_is_whole(folder: Path) -> None:
    """Programs get their format and nothing else, also when there is nothing to say."""
    assert json.loads(run("check", "--format", "sarif").output)["runs"][0]["results"] == []
    assert run("check", "--format", "github").output == ""
    (folder / "policies" / "desk.yaml").write_text(POLICY.replace("finds: card", "finds: crad"))
    sarif = run("check", "--format", "sarif")
    assert sarif.exit_code == 1 and json.loads(sarif.output)["runs"][0]["results"][0]["ruleId"] == "P020"
    github = run("check", "--format", "github").output
    assert github.startswith(
        "::error file=policies/desk.yaml,line=14,endLine=14,col=42,endColumn=46,title=P020::"
    )


# --- explain --------------------------------------------------------------------------------------------


def test_a_code_is_explained() -> None:
    """In capitals or not, in three languages, without any policy at hand."""
    Path("policies/desk.yaml").unlink()
    assert run("explain", "p020").output.startswith("P020  No such detector\n")
    assert "為何重要" in run("explain", "P020", "--lang", "zh-Hant").output


def test_a_rule_is_explained() -> None:
    """From the folder, or from a file that is named."""
    output = run("explain", "cards").output
    assert output.startswith(
        "Rule `cards`: Cards are masked\n  Applies when the message goes to Weixin, and card"
    )
    assert run("explain", "cards", "--file", "policies/desk.yaml").output == output


def test_a_section_that_is_not_written_is_explained_too() -> None:
    """It is no mistake to ask for it: nothing of it applies, and defaults hold whether written or not."""
    result = run("explain", "attachments", "--file", "policies/desk.yaml")
    assert result.exit_code == 0
    assert result.output == "Section `attachments`\n  Policy `desk` writes nothing of its own here.\n"
    defaults = run("explain", "defaults").output
    assert "A message that no rule decides is delivered." in defaults and "nothing of its own" in defaults


def test_an_unknown_name_gets_a_suggestion() -> None:
    """Exit code 2, and what was probably meant; of codes all are named, because one is not like another."""
    result = run("explain", "crads")
    assert result.exit_code == 2 and "nothing called crads; did you mean cards?" in result.output
    result = run("explain", "p099")
    assert result.exit_code == 2 and "there is no code P099; the codes are P001, P002, " in result.output


def test_a_broken_file_is_not_explained(folder: Path) -> None:
    """What cannot be read has no sentences; the mistake is shown instead."""
    (folder / "policies" / "desk.yaml").write_text(POLICY.replace("finds: card", "finds: crad"))
    result = run("explain", "cards")
    assert result.exit_code == 2 and "P020" in result.output


# --- try ------------------------------------------------------------------------------------------------


def test_a_message_is_tried() -> None:
    """What is delivered, which rule acts, which does not, and why."""
    output = run("try", "卡 4111 1111 1111 1111").output
    assert output.startswith("REDACT\n")
    assert "  Delivered as: 卡 **** **** **** 1111\n" in output
    assert "4111 1111 1111 1111 = card; confidence high" in output
    assert "not: the message goes to Symphony" in output


def test_a_policy_whose_own_test_fails_is_tried_all_the_same(folder: Path) -> None:
    """That is when the trace is needed: the failure is shown at its place, then the message is judged."""
    desk = folder / "policies" / "desk.yaml"
    desk.write_text(POLICY.replace("given: 4111 1111 1111 1111", "given: 4111 1111 1111 1112"))
    result = run("try", "4111 1111 1111 1112", "--lang", "zh-Hans")
    assert result.exit_code == 0 and "错误[P060]" in result.stderr
    assert result.stdout.startswith("放行")
    assert run("explain", "cards").exit_code == 0


def test_a_broken_file_is_not_tried(folder: Path) -> None:
    """The mistake is shown like `check` shows it: with the line, a caret, and in the reader's language."""
    (folder / "policies" / "desk.yaml").write_text(POLICY.replace("finds: card", "finds: crad"))
    result = run("try", "x", "--lang", "zh-Hant")
    assert result.exit_code == 2 and result.stdout == ""
    assert "錯誤[P020]" in result.stderr and "^^^^" in result.stderr


def test_people_and_time_are_those_that_were_typed() -> None:
    """Labels, groups, the clock of the policy, and text from standard input."""
    late = ["try", "-", "--to", "symphony", "--at", "2026-11-20 23:10"]
    assert run(*late, "--tag", "客户", typed="晚上好\n").output.startswith(
        "HOLD (queue review; to be decided"
    )
    assert run(*late, "--group", "clients", typed="晚上好\n").output.startswith("HOLD")
    assert "not: somebody of clients takes part" in run(*late, typed="晚上好\n").output
    day = run("try", "x", "--to", "symphony", "--tag", "客户", "--at", "2026-11-20 10:00").output
    assert "not: it is written outside of 09:00-18:30" in day
    assert run("try", "x", "--group", "nobody").exit_code == 2


def test_strangers_are_held_and_folding_is_shown() -> None:
    """An unpaired message, and the text as words are compared with it."""
    output = run("try", "ＨＥＬＬＯ 騰訊", "--unpaired", "--show-folded").output
    assert "As it is compared: hello 腾讯" in output
    assert "the people are not an approved pair" in output


def test_programs_get_an_object() -> None:
    """`--json` has the verdict as it would be recorded, and every rule."""
    answer = json.loads(run("try", "4111 1111 1111 1111", "--json").output)
    assert answer["verdict"]["outcome"] == "redact"
    assert [rule["id"] for rule in answer["rules"]] == ["cards", "late"]


def test_an_attachment_is_looked_into(folder: Path) -> None:
    """Its type is told by its bytes, and judged like any other."""
    more = POLICY + "attachments: { allow: pdf, not_allowed: block }\n"
    (folder / "policies" / "desk.yaml").write_text(more, encoding="utf-8")
    (folder / "report.pdf").write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0" * 64)
    output = run("try", "see this", "--file", "report.pdf").output
    assert output.startswith("BLOCK") and "attachments/not_allowed" in output


def test_control_characters_do_not_reach_the_terminal() -> None:
    """Whatever was typed, the terminal is not obeyed."""
    assert "\x1b" not in run("try", "\x1b[2J red").output


def test_the_settings_say_which_policies(folder: Path) -> None:
    """With a settings file its policies are meant, not those of the working directory."""
    (folder / "rules").mkdir()
    (folder / "rules" / "other.yaml").write_text(POLICY.replace("policy: desk", "policy: other"))
    (folder / "weighbridge.toml").write_text('[policy]\nfiles = ["rules/*.yaml"]\n')
    assert "Policy other" in run("try", "x").output
    assert "Policy desk" in run("try", "x", "--policy", "policies/desk.yaml").output
