"""The policy bench: what it weighs is fair, and an engine that answers otherwise is refused, not measured.

Rules of this file: no figure is compared with another. The other engines are not installed for the tests;
a stand-in process of our own answers as they would.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from click.testing import CliRunner
from rival import stand_in

from bridge.cli.bench import bench, matter, policy, rivals
from bridge.cli.bench.traffic import BenchFailed
from bridge.message import Outcome
from bridge.policy.judge import judge

FEW = ["policy", "--messages", "60", "--requests", "200", "--entries", "40", "--words", "300"]


@pytest.fixture(autouse=True)
def uncollected(monkeypatch: pytest.MonkeyPatch) -> None:
    """What other tests have left is not looked through before each figure: no figure matters here."""
    monkeypatch.setattr(policy, "gc", mock.Mock())


@pytest.fixture
def rival(tmp_path: Path) -> Callable[[str], Path]:
    """Makes an environment whose interpreter answers with these lines whatever it is asked."""

    return functools.partial(stand_in, tmp_path)


def test_without_rivals_ours_and_the_loop_are_measured(tmp_path: Path) -> None:
    """Every kind of row is there, and the note says how to have the others."""
    result = CliRunner().invoke(bench, [*FEW, "--rivals", str(tmp_path), "--json"], catch_exceptions=False)
    kinds = [json.loads(line)["kind"] for line in result.stdout.splitlines()]
    assert set(kinds) == {"content", "attributes", "verdict", "hostile", "swap"}
    assert "make rivals" in result.stderr


def test_rivals_stand_beside_ours_with_a_ratio(rival: Callable[[str], Path]) -> None:
    """An engine that finds what we find is a row like ours."""
    folder = rival(
        "found = [n for n in range(0, len(work['messages']), 10)]\n"
        "print(json.dumps({'kind': 'content', 'engine': 'other', 'us': 5.0, 'entries': 40,"
        " 'messages': 60, 'build_s': 0, 'found': found}))"
    )
    plan = policy.Plan(60, (), 200, python=policy.rivals_python(folder))
    told: list[dict[str, Any]] = []
    policy._content(plan, 40, told.append)
    other = [row for row in told if row["engine"] == "other"]
    assert [(row["found"], row["ratio"] > 0) for row in other] == [(6, True)]


def test_an_engine_that_finds_something_else_is_refused(rival: Callable[[str], Path]) -> None:
    """A figure of an engine that does other work would mean nothing."""
    folder = rival(
        "print(json.dumps({'kind': 'content', 'engine': 'other', 'us': 5.0, 'entries': 40,"
        " 'messages': 60, 'build_s': 0, 'found': [1]}))"
    )
    plan = policy.Plan(60, (40,), 200, words=300, python=policy.rivals_python(folder))
    with pytest.raises(BenchFailed, match="found something in message"):
        policy.run(plan, lambda row: None)


def test_an_engine_that_breaks_is_named(rival: Callable[[str], Path]) -> None:
    """What it said last is part of the error."""
    folder = rival("raise SystemExit('no such engine')")
    plan = policy.Plan(60, (40,), 200, words=300, python=policy.rivals_python(folder))
    with pytest.raises(BenchFailed, match="no such engine"):
        policy.run(plan, lambda row: None)


# --- what is weighed --------------------------------------------------------------------------------------


def test_no_two_messages_are_alike_and_one_in_ten_holds_an_entry() -> None:
    """Each has its size, and plain Python finds in every tenth what was put there."""
    entries = matter.entries(100)
    texts = matter.messages(500, entries)
    assert len(set(texts)) == 500 and {len(text) for text in texts} == {matter.SIZE}
    held = [
        number
        for number, text in enumerate(texts)
        if any(word in text for word in entries.words) or any(re.search(p, text) for p in entries.patterns)
    ]
    assert held == list(range(0, 500, 10))


def test_smaller_sets_of_entries_are_part_of_larger_ones() -> None:
    """What changes from size to size is the number alone."""
    small, large = matter.entries(100), matter.entries(1_000)
    assert small.count == 100 and large.count == 1_000
    assert large.words[: len(small.words)] == small.words
    assert large.patterns[: len(small.patterns)] == small.patterns


def test_walls_in_our_language_mean_what_they_mean() -> None:
    """The policy of the attribute bench stops a request exactly when a wall does."""
    walls = matter.walls(100)
    policies = policy.wall_policy(walls)
    asked = matter.requests(2_000, walls)
    stopped = [judge(policies, *policy._asked(one)).outcome is Outcome.BLOCK for one in asked]
    assert stopped == [any(wall.stops(one) for wall in walls) for one in asked]
    assert 10 < sum(stopped) < 500


def test_every_rival_has_a_way_to_be_asked() -> None:
    """The engines that the run asks for are those that the script knows."""
    asked = {"hyperscan", "presidio", "cedarpy", "casbin"}
    assert set(rivals.ENGINES) == asked
