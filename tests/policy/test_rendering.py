"""How diagnostics are shown: in a terminal, and to the programs that check a change."""

from __future__ import annotations

import json

import pytest

from bridge.policy.catalogue import TEXTS
from bridge.policy.diagnostics import Diagnostic, Page, Place
from bridge.policy.rendering import WIDEST, cells, render


def problem(line: str, column: int, width: int = 1, file: str = "p.yaml") -> Diagnostic:
    """An error in the only line of a file."""
    return Page(file, line).report("P013.none", Place(1, column, width), key="rules")


def shown(line: str, column: int, width: int = 1) -> tuple[str, str]:
    """The source line and the caret line as a terminal shows them, without the margin."""
    block = render([problem(line, column, width)]).split("\n")
    return block[3].removeprefix("1 | "), block[4].removeprefix("  | ")


# --- for people -----------------------------------------------------------------------------------------


def test_carets_count_cells() -> None:
    """A Chinese character takes two cells, a combining mark none."""
    assert [cells(text) for text in ("abc", "客户", "é", "e\u0301", "：")] == [3, 4, 1, 1, 2]
    assert shown("title: 客户的规则 x", 8, 2)[1] == "       ^^^^ nothing behind it"


@pytest.mark.parametrize("column", [1, 2, 60, 300, 599, 600])
@pytest.mark.parametrize("char", ["a", "户"])
def test_of_a_long_line_the_part_around_the_caret_is_shown(column: int, char: str) -> None:
    """A line of any length takes one row, and the caret is under the character that is meant."""
    line = char * (column - 1) + "※" + char * (600 - column)
    source, carets = shown(line, column)
    assert cells(source) <= WIDEST + 2
    assert cells(source[: source.index("※")]) == len(carets) - len(carets.lstrip(" "))
    assert source.startswith("…") == (column > 50) and source.endswith("…") == (column < 500)


def test_a_long_passage_is_underlined_as_far_as_it_is_shown() -> None:
    """Carets never run past the row."""
    source, carets = shown("x" * 1000, 200, 700)
    assert cells(source) <= WIDEST + 2
    assert cells(carets.partition(" nothing")[0]) <= cells(source)


def test_the_terminal_is_never_obeyed() -> None:
    """Control and invisible characters are shown, not executed: in the line and in the words."""
    page = Page("p.yaml", "title: \x1b[31m\u202ered")
    output = render([page.report("P004", Place(1, 8), tag="\x1b[2Jx\n")])
    assert "\x1b" not in output and "\u202e" not in output and "�[31m�red" in output
    assert "`�[2Jx�`" in output


def test_problems_stand_in_the_order_of_the_files() -> None:
    """From top to bottom, file by file as they were named; errors before warnings."""
    one, two = Page("z.yaml", "a: b\n" * 9), Page("a.yaml", "a: b\n" * 9)
    found = [
        one.report("P051", Place(9, 1)),
        two.report("P051", Place(1, 1)),
        one.report("P051", Place(2, 3)),
    ]
    found += [one.report("P030", Place(1, 1), rule="r"), one.report("P051", Place(2, 1))]
    shown = [line.strip() for line in render(found).split("\n") if "-->" in line]
    assert shown == [
        f"--> {place}" for place in ("z.yaml:2:1", "z.yaml:2:3", "z.yaml:9:1", "a.yaml:1:1", "z.yaml:1:1")
    ]


def test_at_most_twenty_are_shown_and_the_rest_counted() -> None:
    """A file with many mistakes does not flood the screen; errors come before warnings."""
    page = Page("p.yaml", "a: b")
    many = [page.report("P030", Place(1, 1), rule="r")] + [page.report("P051", Place(1, 1))] * 24
    assert render(many).count("error[P051]") == 20
    assert render(many).endswith("and 5 more")
    assert render(many, language="zh-Hant").endswith("另有 5 個問題")
    assert render(many, "json").count("P051") == 24


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ("error[P013]: `rules` has no value", "^ nothing behind it", "= help: write a value")),
        ("zh-Hans", ("错误[P013]: `rules` 没有值", "^ 后面是空的", "= 建议：写上值，或删除这个键")),
        ("zh-Hant", ("錯誤[P013]: `rules` 沒有值", "^ 後面是空的", "= 建議：寫上值，或刪除這個鍵")),
    ],
)
def test_people_read_their_language(language: str, words: tuple[str, ...]) -> None:
    """Sentence, label, suggestion and the words around them."""
    output = render([problem("rules:", 1)], language=language)
    assert all(word in output for word in words)


# --- for programs ---------------------------------------------------------------------------------------


def test_programs_get_json() -> None:
    """The JSON form has the count and every field of a diagnostic."""
    page = Page("p.yaml", "language: 2")
    answer = json.loads(render([page.report("P051", Place(1, 11))], "json"))
    assert answer["count"] == 1
    assert answer["diagnostics"][0] == {
        "code": "P051",
        "severity": "error",
        "file": "p.yaml",
        "line": 1,
        "column": 11,
        "end_column": 12,
        "message": "this version reads language 1",
        "label": "another language",
        "help": "write `language: 1`",
    }


def test_github_gets_one_command_for_each() -> None:
    """Position, code and words in one line, which nothing in a file can end or add to."""
    page = Page("p,1:%.yaml", "x")
    (line,) = render(
        [page.report("P011", Place(3, 5, 4), value="a\n::stop", key="k", choices="50%")], "github"
    ).split("\n")
    assert line == (
        "::error file=p%2C1%3A%25.yaml,line=3,endLine=3,col=5,endColumn=9,title=P011"
        "::`a%0A::stop` is not one of the words for `k`%0Awords: 50%25"
    )
    assert render([page.report("P030", Place(1, 1), rule="r")], "github").startswith("::warning file=")
    assert render([], "github") == ""


def test_sarif_says_where_and_what_the_rule_is() -> None:
    """A log of SARIF 2.1.0: rules with help, results that point at them, columns counted in code points."""
    problems = [problem("键 x", 3), Page("../a b.yaml", "y").report("P030", Place(1, 1), rule="r")]
    log = json.loads(render([*problems, problem("z", 1, file="/srv/p.yaml")], "sarif", "zh-Hant"))
    (run,) = log["runs"]
    assert (log["version"], run["columnKind"], run["language"]) == ("2.1.0", "unicodeCodePoints", "zh-HK")
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == ["P013", "P030"]
    assert all(rule["help"]["text"] and rule["shortDescription"]["text"] for rule in rules)
    assert [rule["defaultConfiguration"]["level"] for rule in rules] == ["error", "warning"]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in ("error", "warning") and result["message"]["text"]
    places = [result["locations"][0]["physicalLocation"] for result in run["results"]]
    assert [place["artifactLocation"]["uri"] for place in places] == [
        "p.yaml",
        "file:///srv/p.yaml",
        "../a%20b.yaml",
    ]
    assert places[0]["region"] == {
        "startLine": 1, "startColumn": 3, "endColumn": 4, "snippet": {"text": "键 x"},
    }  # fmt: skip
    assert json.loads(render([], "sarif"))["runs"][0]["results"] == []


@pytest.mark.parametrize("language", TEXTS)
@pytest.mark.parametrize("format", ["text", "json", "github", "sarif"])
def test_every_format_speaks_every_language(language: str, format: str) -> None:
    """No format falls back to English."""
    sentence = problem("rules:", 1).words(language).sentence
    assert sentence in render([problem("rules:", 1)], format, language)
