"""The grammar: how a text is taken apart, and where it goes on after a mistake."""

from __future__ import annotations

import pytest
from specimens import HONG_KONG, NOW, ask

from bridge.errors import QueryError
from bridge.search.grammar import COMPOSED, DEEPEST
from bridge.search.query import parse


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("a  b\tc", "a b c"),
        ("a AND b", "a b"),
        ("a OR b c", "a OR (b c)"),
        ("(a b) c", "a b c"),
        ("a OR (b OR c)", "a OR b OR c"),
        ("--a", "a"),
        ("NOT -a", "a"),
        ("-(-a)", "a"),
        ("NOT (a OR b)", "-(a OR b)"),
        ("or and not", "or and not"),
        ('"OR"', '"OR"'),
        ("a-b -c", "a-b -c"),
        ("near", '"near"'),
        ("NEAR(a, b)", "near(a,b,5)"),
        ('near("a b",内幕,3)', 'near("a b",内幕,3)'),
        ("ｆｒｏｍ：ａｌｉｃｅ，bob", "from:ａｌｉｃｅ OR from:bob"),
        ("（a　OR　b）", "a OR b"),
        ("“a b” 『c d』 ＂e f＂", '"a b" "c d" "e f"'),
        ('"say \\"hi\\" \\\\"', '"say \\"hi\\" \\\\"'),
        ("text:=騰訊", "text:=騰訊"),
        ("10:30", '"10:30"'),
        ("内幕*", "内幕"),
        ('"a b"*', '"a b"*'),
        ("－a", "-a"),
    ],
)
def test_reads(text: str, canonical: str) -> None:
    """One canonical text for the many ways to write a query."""
    assert str(ask(text)) == canonical


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("a OR", [("Q014", "OR")]),
        ("OR a", [("Q014", "OR")]),
        ("a AND", [("Q014", "AND")]),
        ("AND a", [("Q014", "AND")]),
        ("a OR OR b", [("Q014", "OR"), ("Q014", "OR")]),
        ("a - b", [("Q015", "-")]),
        ("-", [("Q015", "-")]),
        ("NOT", [("Q015", "NOT")]),
        ("(a", [("Q011", "(")]),
        ("a) b", [("Q012", ")")]),
        ("()", [("Q013", "()")]),
        ("a 」", [("Q004", "」")]),
        ("“a", [("Q010", "“")]),
        ("「a", [("Q010", "「")]),
        ("near(a)", [("Q040", "near(a)")]),
        ("near(a,b,c)", [("Q041", "c")]),
        ("near(a,b,0)", [("Q041", "0")]),
        ("near(a,b,1,2)", [("Q040", "near(a,b,1,2)")]),
        ("near(a,b x", [("Q011", "(")]),
        ("!!! 内幕 ???", [("Q016", "!!!"), ("Q016", "???")]),
        ('""', [("Q018", '""')]),
        ("a*b", [("Q017", "a*b")]),
        ("*", [("Q017", "*")]),
        ("(( a ) form:x", [("Q011", "("), ("Q020", "form:")]),
    ],
)
def test_says_what_is_wrong_where(text: str, problems: list[tuple[str, str]]) -> None:
    """Every problem with its place; what follows is read all the same."""
    with pytest.raises(QueryError) as caught:
        ask(text)
    assert [(one.code, text[one.start : one.end]) for one in caught.value.problems] == problems


def test_what_is_composed_has_room_for_what_was_typed() -> None:
    """The canonical text of the deepest and longest that may be typed, many times over, reads back."""
    deep = "a OR b c"
    for _ in range(DEEPEST):
        deep = f"d OR e ({deep})"
    whole = " OR ".join(f"({ask(deep).node})" for _ in range(12))
    with pytest.raises(QueryError):
        ask(whole)
    assert str(parse(whole, NOW, HONG_KONG, limits=COMPOSED).node)
