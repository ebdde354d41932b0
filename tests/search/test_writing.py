"""Values in their canonical form."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from specimens import ask

from bridge.policy.folding import fold
from bridge.search.parts import parts
from bridge.search.writing import quoted


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("alice.wong@bank.example", "alice.wong@bank.example"),
        ("李雷", "李雷"),
        ("Alice Wong", '"Alice Wong"'),
        ("-x", '"-x"'),
        ("a..b", '"a..b"'),
        ("OR", '"OR"'),
        ("near", '"near"'),
        ('a"b\\', '"a\\"b\\\\"'),
        ("a*", '"a*"'),
        ("x:y", '"x:y"'),
    ],
)
def test_quotes_stand_where_they_are_needed(text: str, canonical: str) -> None:
    """And nowhere else."""
    assert quoted(text) == canonical


@given(st.text(min_size=1, max_size=20))
def test_whatever_is_quoted_reads_back(text: str) -> None:
    """As a value of its own: the same text, in a qualifier that takes it as it is."""
    if not list(parts(fold(text))):
        return
    query = ask(f"in:{quoted(text)}")
    assert str(query) == f"in:{quoted(text)}"
    assert query.need.word == f"in:{text}"  # type: ignore[union-attr]
