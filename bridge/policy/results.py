"""The results of tests for programs: JUnit XML for build servers, one object for everything else.

Rules of this file: nothing is judged here. JUnit has no schema that all agree on; what is written is what
Jenkins, GitLab and GitHub's reporters all read: `testsuites`, `testsuite`, `testcase`, `failure`.
XML cannot hold every character that a message can: such a one is written as its code.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as ET

from bridge.policy import language as lang
from bridge.policy.coverage import Part, coverage
from bridge.policy.document import compose
from bridge.policy.trial import TrialResult

_NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class FileResults:
    """One file with the results of its tests. `text` is the file as it was read."""

    name: str
    text: str
    file: lang.PolicyFile
    results: tuple[TrialResult, ...]

    @property
    def failed(self) -> int:
        """How many tests fail."""
        return sum(not result.passed for result in self.results)

    @property
    def coverage(self) -> tuple[Part, ...]:
        """What the tests reach."""
        return coverage(self.file, self.results)

    def lines(self) -> list[int]:
        """The line of every result's test."""
        root = compose(self.name, self.text).root
        rules = root.child("rules") if root is not None else None
        return [_line(rules, result) for result in self.results]


def _line(rules: Any, result: TrialResult) -> int:
    node = rules
    for step in (result.rule_index, "tests", result.test_index):
        node = node and node.child(step)
    return int(node.place.line) if node else 1


def as_junit(files: Sequence[FileResults]) -> str:
    """The results as JUnit XML: a suite for each file, a case for each test."""
    top = ET.Element("testsuites", {"name": "weighbridge policy", **_counts(files)})
    for one in files:
        suite = ET.SubElement(top, "testsuite", {"name": one.file.policy, "file": one.name, **_counts([one])})
        for result, line in zip(one.results, one.lines(), strict=True):
            _case(suite, one, result, line)
    ET.indent(top)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(top, encoding="unicode") + "\n"


def _counts(files: Sequence[FileResults]) -> dict[str, str]:
    tests, failed = sum(len(one.results) for one in files), sum(one.failed for one in files)
    return {"tests": str(tests), "failures": str(failed), "errors": "0", "skipped": "0"}


def _case(suite: ET.Element, one: FileResults, result: TrialResult, line: int) -> None:
    place = {"classname": f"{one.file.policy}.{result.rule}", "file": one.name, "line": str(line)}
    case = ET.SubElement(suite, "testcase", {"name": _safe(_name(result)), "time": "0", **place})
    if not result.passed:
        failure = ET.SubElement(case, "failure", message=_safe(result.problem), type="expectation")
        failure.text = f"{one.name}:{line}\n{_safe(result.given)}\n{_safe(result.problem)}"


def _name(result: TrialResult) -> str:
    """The message; two tests of one rule may have the same one, so its number goes before it."""
    return f"{result.test_index + 1}: {result.given}"


def _safe(text: str) -> str:
    return _NOT_IN_XML.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def as_object(files: Sequence[FileResults]) -> dict[str, Any]:
    """The results, with what each test came to and what no test reaches, as plain values."""
    tests, failed = sum(len(one.results) for one in files), sum(one.failed for one in files)
    return {"passed": tests - failed, "failed": failed, "files": [_file(one) for one in files]}


def _file(one: FileResults) -> dict[str, Any]:
    parts = {part.kind: {"count": len(part.names), "missed": list(part.missed)} for part in one.coverage}
    return {
        "file": one.name,
        "policy": one.file.policy,
        "passed": len(one.results) - one.failed,
        "failed": one.failed,
        "tests": [_test(result, line) for result, line in zip(one.results, one.lines(), strict=True)],
        "coverage": parts,
    }


def _test(result: TrialResult, line: int) -> dict[str, Any]:
    return {
        "rule": result.rule,
        "line": line,
        "given": list(result.test.given),
        "passed": result.passed,
        "problem": result.problem,
        "outcome": str(result.verdict.outcome),
        "would": result.would,
        "text": result.text,
        "tags": sorted(result.verdict.tags),
    }
