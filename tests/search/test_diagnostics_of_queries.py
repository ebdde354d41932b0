"""Problems of a query, as people and programs get them."""

from __future__ import annotations

import string

import pytest
from specimens import ask

from bridge.errors import QueryError
from bridge.search.diagnostics import EN, Problem, cells, explained, nearest


def problems(query: str) -> tuple[Problem, ...]:
    """What is wrong with a query."""
    with pytest.raises(QueryError) as caught:
        ask(query)
    return caught.value.problems


def test_a_caret_stands_under_its_character() -> None:
    """Chinese characters take two cells of a terminal each."""
    assert problems("内幕 form:李雷")[0].lines() == [
        "error[Q020]: there is no qualifier form:",
        "  | 内幕 form:李雷",
        "  |      ^^^^^ unknown",
        '  = did you mean from:? To search for it as text, write it in quotes: "form:李雷"',
    ]
    assert problems("李雷 is:内幕")[0].lines()[2] == "  |         ^^^^ unknown"


def test_positions_for_programs_count_characters() -> None:
    """Not cells."""
    found = problems("内幕 form:李雷")[0].as_object()
    assert (found["start"], found["end"], found["suggestions"]) == (3, 8, ["from:"])
    assert found["code"] == "Q020"


def test_long_queries_are_shown_around_the_caret() -> None:
    """A caret is never further out than a terminal is wide."""
    for query in ("内" * 300 + " form:x " + "幕" * 300, "form:" + "x" * 1000, "a " * 90 + "("):
        _, shown, carets, _ = problems(query)[0].lines()
        assert cells(shown) <= 110
        assert cells(carets) <= 125
        assert "^" in carets


def test_nothing_that_a_terminal_obeys_is_shown() -> None:
    """Control characters of a query do not reach the screen."""
    text = explained(problems("form:x \x1b[31m (\n"))
    assert "\x1b" not in text
    assert all(line.isprintable() for line in text.splitlines())


def test_many_problems_are_counted() -> None:
    """Ten are explained."""
    assert explained(problems("is:x " * 13)).endswith("and 3 more")


def test_a_message_of_the_error_says_nothing_of_the_query() -> None:
    """What is searched for stays out of tracebacks and logs."""
    with pytest.raises(QueryError) as caught:
        ask("form:secret")
    assert "secret" not in str(caught.value)


def test_every_text_is_complete() -> None:
    """A sentence and a label; braces name values."""
    for code, text in EN.items():
        assert code.startswith("Q")
        assert text.sentence
        assert text.label
        for part in text:
            list(string.Formatter().parse(part))


@pytest.mark.parametrize(
    ("word", "first"), [("form", "from"), ("rul", "rule"), ("dri", "dir"), ("attachement", "attachment")]
)
def test_suggestions_are_the_nearest(word: str, first: str) -> None:
    """A slip of two fingers, a letter too few or too many."""
    assert nearest(word, ("from", "rule", "dir", "to", "attachment"))[0] == first


def test_no_suggestion_is_better_than_a_wild_one() -> None:
    """Without anything near, the remedy has no question in it."""
    problem = problems("zzzzzzzz:x")[0]
    assert problem.suggestions == ()
    assert "did you mean" not in "".join(problem.lines())
