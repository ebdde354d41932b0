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
