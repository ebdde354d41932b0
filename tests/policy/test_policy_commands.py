"""`weighbridge policy check` and `test`, as people run them; and the policies that are shipped."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from policy_rig import one_rule, weigh

from bridge.cli.policy import policy
from bridge.message import SYMPHONY, WEIXIN, Outcome
from bridge.policy import check, load

ROOT = Path(__file__).parents[2]
SHIPPED = sorted((ROOT / "policies").glob("*.yaml"))


def run(*arguments: str | Path) -> tuple[int, str]:
    """Exit code and output of `weighbridge policy ...`."""
    result = CliRunner().invoke(policy, [str(argument) for argument in arguments])
    return result.exit_code, result.output


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A place for a policy file."""
    return tmp_path / "p.yaml"


def test_check_says_what_is_wrong(file: Path) -> None:
    """Exit code 1, the diagnostic, and a count."""
    file.write_text(one_rule().replace("high", "hgih"), encoding="utf-8")
    code, output = run("check", file)
    assert code == 1 and "error[P011]" in output and output.endswith("1 file(s), 1 error(s), 0 warning(s)\n")


def test_check_answers_programs_in_json(file: Path) -> None:
    """One object, also when there is nothing to say."""
    file.write_text(one_rule(), encoding="utf-8")
    code, output = run("check", "--format", "json", file)
    assert code == 0 and [d["code"] for d in json.loads(output)["diagnostics"]] == ["P030"]
    assert json.loads(run("check", "--format", "json", "--on", "2026-01-05", *SHIPPED)[1]) == {
        "count": 0,
        "diagnostics": [],
    }


def test_a_file_that_is_not_there_is_another_exit_code(file: Path) -> None:
    """2 means that nothing could be judged."""
    assert run("check", file)[0] == 2
    assert run("test", file)[0] == 2


def test_test_prints_what_failed(file: Path) -> None:
    """A line for each failure, a count, exit code 1."""
    tests = "    tests: [{ given: 4111111111111111, expect: hold }, { given: hi, expect: deliver }]\n"
    file.write_text(one_rule() + tests, encoding="utf-8")
    code, output = run("test", file)
    assert code == 1
    assert output == "✗ rule · 4111111111111111 · expected hold, got block\n1 passed, 1 failed\n"


def test_test_refuses_a_broken_file(file: Path) -> None:
    """Tests of a file that cannot be used are not run; the errors are shown."""
    file.write_text(one_rule().replace("high", "hgih"), encoding="utf-8")
    code, output = run("test", file)
    assert code == 2 and "error[P011]" in output


def test_a_folder_stands_for_its_policies(file: Path) -> None:
    """As `diff` takes folders, so do the others; one without policies is a mistake of use."""
    file.write_text(one_rule(), encoding="utf-8")
    (file.parent / "q.yaml").write_text(one_rule(name="q"), encoding="utf-8")
    code, output = run("check", file.parent)
    assert code == 0 and output.endswith("2 file(s), 0 error(s), 2 warning(s)\n")
    (file.parent / "empty").mkdir()
    code, output = run("check", file.parent / "empty")
    assert code == 2 and "no policy files in" in output


def test_without_files_the_folder_is_used(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`policies/*.yaml` of the working directory; an empty one is a mistake of use."""
    monkeypatch.chdir(file.parent)
    assert run("check")[0] == 2
    (file.parent / "policies").mkdir()
    (file.parent / "policies" / "p.yaml").write_text(one_rule(), encoding="utf-8")
    assert run("check")[0] == 0


def test_the_command_starts_without_heavy_libraries() -> None:
    """Help must come at once: nothing of the policy language is imported for it."""
    script = (
        "import sys, bridge.cli.policy\n"
        "heavy = ('pydantic', 'yaml', 're2', 'rapidfuzz', 'ahocorasick_rs', 'regex')\n"
        "print([module for module in heavy if module in sys.modules])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert answer.stdout == "[]\n"


# --- the shipped policies -------------------------------------------------------------------------------


def test_the_shipped_policies_are_without_a_remark() -> None:
    """No error, no warning, every test passes."""
    assert len(SHIPPED) >= 2
    assert check(SHIPPED) == []
    code, output = run("test", *SHIPPED)
    assert code == 0 and re.fullmatch(r"\d\d+ passed, 0 failed\n", output)


@pytest.mark.parametrize(
    ("text", "to", "outcome"),
    [
        ("您的卡号 6222 0212 3456 7890 128", WEIXIN, Outcome.REDACT),
        ("身份证 11010519491231002X 已收到", WEIXIN, Outcome.REDACT),
        ("腾讯今天怎么看", WEIXIN, Outcome.HOLD),
        ("騰訊呢", SYMPHONY, Outcome.HOLD),
        ("Any news on Tencent?", WEIXIN, Outcome.HOLD),
        ("0700.HK target?", SYMPHONY, Outcome.HOLD),
        ("加我私人微信", SYMPHONY, Outcome.BLOCK),
        ("let us use my personal WeChat", WEIXIN, Outcome.BLOCK),
        ("WhatsApp me later", WEIXIN, Outcome.BLOCK),
        ("please call my mobile", SYMPHONY, Outcome.BLOCK),
        ("早上好，报告已发送，请查收 👍", WEIXIN, Outcome.DELIVER),
        ("Good morning, the call is at 10:30.", SYMPHONY, Outcome.DELIVER),
    ],
)
def test_the_shipped_policies_decide_as_described(text: str, to: str, outcome: Outcome) -> None:
    """Numbers are masked, restricted names held, invitations to other channels blocked, the rest passes."""
    verdict = weigh(load(SHIPPED), text, to=to)
    assert verdict.outcome is outcome
    if outcome is not Outcome.DELIVER:
        assert {"en", "zh"} <= set(verdict.tell)
