"""The table of qualifiers: strict about names, signs and values, and consistent in itself."""

from __future__ import annotations

import pytest
from specimens import ask

from bridge.errors import QueryError
from bridge.search.conditions import LOOKS_INTO
from bridge.search.manual import GROUPS
from bridge.search.qualifiers import BY_NAME, LATER, ROWS, SHAPES, names_time


def code(query: str) -> str:
    """The code of the first problem of a query."""
    with pytest.raises(QueryError) as caught:
        ask(query)
    return str(caught.value.problems[0].code)


def test_names_are_used_once() -> None:
    """A name means one thing, in a group that the manual shows."""
    names = [row.name for row in ROWS] + list(SHAPES) + list(LATER)
    assert len(set(names)) == len(names)
    assert {row.group for row in ROWS} == set(GROUPS)
    assert set(LOOKS_INTO) - {""} <= set(BY_NAME)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_value_is_needed(row) -> None:
    """Nothing behind the colon, a space, a parenthesis, empty quotes or a comma too many: all errors."""
    assert code(f"{row.name}:") == "Q022"
    assert code(f"{row.name}: x") == "Q022"
    assert code(f"{row.name}:(a OR b)") == "Q027"
    assert code(f'{row.name}:""') == "Q018"
    example = row.example.replace(">", "")
    assert code(f"{example},") == "Q019"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_only_its_own_signs_are_taken(row) -> None:
    """A sign that would mean nothing is refused."""
    for sign in {">", ">=", "<", "<=", "="} - set(row.ops):
        assert code(f"{row.name}:{sign}x") == "Q024"
    if not row.prefixes:
        assert code(f"{row.name}:x*") == "Q029"


@pytest.mark.parametrize("row", [row for row in ROWS if row.values], ids=lambda row: row.name)
def test_listed_values_are_all_there_are(row) -> None:
    """Each one reads; a misspelt one is an error that names the right one."""
    for value in row.values:
        ask(f"{row.name}:{value}")
    with pytest.raises(QueryError) as caught:
        ask(f"{row.name}:{row.values[0]}q")
    problem = caught.value.problems[0]
    assert problem.code == "Q023"
    assert row.values[0] in problem.suggestions


def test_names_may_be_written_in_capitals() -> None:
    """People write From: as in a letter."""
    assert ask("From:alice DIR:to_weixin") == ask("from:alice dir:to_weixin")


def test_a_query_that_names_a_time_is_known() -> None:
    """In any place and case; a word that only looks like it is taken for one rather than not."""
    for text in ("after:yesterday", "swap OR (x -Before:7d)", "written:2026"):
        assert names_time(text)
    for text in ("", "swap", "with:alice", "size:>7"):
        assert not names_time(text)
