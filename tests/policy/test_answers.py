"""Answers: which of them wins, whatever the order in which they came."""

from __future__ import annotations

import itertools

from bridge.message import Cause, Match, Outcome
from bridge.policy.answers import RANK, Answer, Clause


def test_outcomes_are_ranked_as_they_are_strict() -> None:
    """The table that is asked a thousand times a second says what the outcomes themselves say."""
    assert [outcome.rank for outcome in Outcome] == [RANK[outcome] for outcome in Outcome]
    assert RANK[Outcome.DELIVER] < RANK[Outcome.ANNOTATE] < RANK[Outcome.REDACT] < RANK[Outcome.HOLD]


def test_the_strictest_wins_and_of_equals_the_failure() -> None:
    """By outcome, then by cause: a failure before a rule before a default."""
    ordered = [
        Answer(Outcome.BLOCK, Cause.DEFAULT, "z"),
        Answer(Outcome.HOLD, Cause.FAILURE, "z"),
        Answer(Outcome.HOLD, Cause.RULE, "a"),
        Answer(Outcome.HOLD, Cause.DEFAULT, "a"),
        Answer(Outcome.DELIVER, Cause.RULE, "a"),
    ]
    for some in itertools.permutations(ordered):
        assert sorted(some, key=lambda answer: answer.order) == ordered
    assert [answer.stops for answer in ordered] == [True, True, True, True, False]


def test_a_clause_is_an_answer_and_a_match() -> None:
    """Its section and policy are named in both; no rule has such an id."""
    clause = Clause("p", "kinds/voice", Outcome.HOLD, "voice")
    assert clause.answer == Answer(Outcome.HOLD, Cause.RULE, "kinds p: voice")
    assert clause.match == Match("p", "kinds/voice", "", Outcome.HOLD, why="voice")
