"""Build servers and programs read the same results that people do."""

from __future__ import annotations

import json
from xml.etree import ElementTree as ET

from policy_rig import one_rule

from bridge.policy import Source, assemble, run_tests
from bridge.policy.results import FileResults, as_junit, as_object

TESTS = (
    "    tests:\n"
    "      - { given: 4111111111111111, expect: block }\n"
    '      - { given: "a <b> & \\"c\\" \\x01 \\U0001F600 腾讯", expect: hold }\n'
    "      - { given: [hi, 4111111111111111], expect: deliver }\n"
)


def results() -> FileResults:
    """One file of which two tests fail."""
    text = one_rule() + TESTS
    policies, _ = assemble([Source("policies/p.yaml", text.encode())])
    assert policies is not None
    (policy,) = policies.policies
    return FileResults("policies/p.yaml", text, policy.model, tuple(run_tests(policy)))


def test_junit_is_what_build_servers_read() -> None:
    """Counts that add up, a case for each test with its place, and a failure with its message."""
    one = results()
    top = ET.fromstring(as_junit([one, one]).encode())  # our own output
    assert top.tag == "testsuites" and (top.get("tests"), top.get("failures")) == ("6", "4")
    first = top.findall("testsuite")[0]
    assert (first.get("name"), first.get("tests"), first.get("failures")) == ("p", "3", "2")
    cases = first.findall("testcase")
    assert [case.get("classname") for case in cases] == ["p.rule"] * 3
    assert len({case.get("name") for case in cases}) == 3
    line = one.text.splitlines().index("      - { given: 4111111111111111, expect: block }") + 1
    assert [case.get("line") for case in cases] == [str(line + n) for n in range(3)]
    failure = cases[1].find("failure")
    assert cases[0].find("failure") is None and failure is not None
    assert failure.get("message") == "expected hold, got deliver"
    assert 'a <b> & "c" \\u0001' in (cases[1].get("name") or "")


def test_an_object_says_what_came_of_each_test() -> None:
    """With places, outcomes, and what no test reaches; it is JSON."""
    whole = json.loads(json.dumps(as_object([results()])))
    assert (whole["passed"], whole["failed"]) == (1, 2)
    (file,) = whole["files"]
    assert [test["passed"] for test in file["tests"]] == [True, False, False]
    assert file["tests"][2]["given"] == ["hi", "4111111111111111"]
    assert file["tests"][2]["outcome"] == "block"
    assert file["coverage"]["rules"] == {"count": 1, "missed": []}
