"""Words of lists: from the policy or a file, the days on which they count, and what is wrong with them."""

from __future__ import annotations

import datetime

import pytest

from bridge.policy.document import compose
from bridge.policy.wordlists import ListWords, is_beside, read_list

DATED = "{ file: w.csv, columns: [code, name], dates: { from: since, until: until } }"
CSV = """\
code,name,since,until
700,腾讯,2026-01-01,2026-06-30
9988,阿里,,2026-03-31
3690,美团,,
700,騰訊,2026-09-01,
3690,Meituan,2027-01-01,
"""


def read(written: str, table: str | bytes = "") -> ListWords:
    """The list that is `written` so, with a file beside it."""
    document = compose("p.yaml", f"w: {written}\n")
    assert document.root is not None
    node = document.root.child("w")
    assert node is not None
    data = table.encode() if isinstance(table, str) else table
    return read_list(document.page, "w", node, {"w.csv": data})


def keys(found: ListWords) -> list[str]:
    """The keys of what is wrong with a list."""
    return [problem.key for problem in found.problems]


def day(written: str) -> datetime.date:
    """A day."""
    return datetime.date.fromisoformat(written)


def test_words_are_what_was_written() -> None:
    """Also where YAML or a spreadsheet would make something else of it."""
    assert read("{ words: [0700, NO, 1_000, ' a '] }").words == ["0700", "NO", "1_000", " a "]
    assert read("{ file: w.csv, columns: name }", "name\n0700\n NO \n\n").words == ["0700", "NO"]


def test_a_word_counts_in_the_time_of_its_rows() -> None:
    """Days are by folded word; a word with a row without limits counts always and is not among them."""
    found = read(DATED, CSV)
    assert keys(found) == [] and found.words[:3] == ["700", "腾讯", "9988"]
    first, second = (day("2026-01-01"), day("2026-06-30")), (day("2026-09-01"), None)
    assert found.dates == {
        "700": [first, second],
        "腾讯": [first, second],
        "9988": [(None, day("2026-03-31"))],
        "阿里": [(None, day("2026-03-31"))],
        "meituan": [(day("2027-01-01"), None)],
    }


def test_one_column_of_dates_is_enough() -> None:
    """Without a column there is no limit on that side."""
    found = read("{ file: w.csv, columns: name, dates: { until: until } }", "name,until\nx,2026-01-31\n")
    assert found.dates == {"x": [(None, day("2026-01-31"))]}


def test_a_list_without_dates_counts_always() -> None:
    """Columns that nobody named are no dates."""
    assert read("{ file: w.csv, columns: [code, name] }", CSV).dates == {}


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("code,name,since,until\n1,x,31/01/2026,\n2,y,,soon\n", ["P024.date", "P024.date"]),
        ("code,name,since,until\n1,x,2026-02-30,\n", ["P024.date"]),
        ("code,name,since,until\n1,x,2026-02-02,2026-02-01\n", ["P024.order"]),
        ("code,name,sinse,until\n1,x,,\n", ["P024.column.near"]),
        ("code,name,since,until\n1,x,2026-02-01,2026-02-01\n", []),
    ],
)
def test_dates_are_days_in_order(table: str, expected: list[str]) -> None:
    """YYYY-MM-DD, the first before the last; and a single day is a time."""
    assert keys(read(DATED, table)) == expected


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("name,note\nInside, trading,x\nMNPI,y\n", [("P024.cells", 2)]),
        ("name,note\nMNPI\n\nleak,y\na,b,\n", [("P024.cells", 2), ("P024.cells", 5)]),
        ("name,name\nMNPI,leak\n", [("P024.twice", None)]),
        ('name,note\n"Inside, trading",x\n', []),
        ("name,,\nMNPI,,\n", []),
    ],
)
def test_no_cell_is_lost_in_silence(table: str, expected: list[tuple[str, int | None]]) -> None:
    """A comma without quotes moves the words behind it; of two columns of one name only one is read."""
    problems = read("{ file: w.csv, columns: name }", table).problems
    assert [(problem.key, problem.values.get("line")) for problem in problems] == expected


def test_a_wrong_date_names_its_line() -> None:
    """A line of the list file, as an editor counts it."""
    (problem,) = read(DATED, "code,name,since,until\n1,x,,\n2,y,1.2.2026,\n").problems
    assert (problem.values["line"], problem.values["value"]) == (3, "1.2.2026")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("{ words: [] }", ["P024.empty"]),
        ("{ words: ['\\u200b'] }".replace("'", '"'), ["P024.invisible"]),
        ("{ words: [股] }", ["P034"]),
        ("{ words: [并购], unless_words: { 并构: 合并构建 } }", ["P025"]),
        ("{ words: [并购], unless_words: { 併購: 合併購買, 并购: [购买] } }", ["P025.longer"]),
        ("{ file: ../w.csv, columns: name }", ["P024.outside"]),
        ("{ file: v.csv, columns: name }", ["P024.missing"]),
        ("{ words: { a: b }, unless_words: [x], dates: [y] }", []),
    ],
)
def test_what_finds_nothing_or_everything_is_said(written: str, expected: list[str]) -> None:
    """Each has its own sentence; another shape than a list's is the grammar's matter."""
    assert keys(read(written)) == expected


@pytest.mark.parametrize(
    ("name", "beside"),
    [
        ("w.csv", True),
        ("lists/w.csv", True),
        ("", False),
        ("/w.csv", False),
        ("a/../w.csv", False),
        ("a\0b", False),
    ],
)
def test_lists_lie_beside_the_policy(name: str, beside: bool) -> None:
    """Nothing leads out of the policy's own folder."""
    assert is_beside(name) is beside
