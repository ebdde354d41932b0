"""The search bench: questions mean what they say, and a search that finds anything else has no figure.

Rules of this file: no figure is compared with another. The others are not installed for the tests.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from bridge.cli.bench import bench, corpus, search
from bridge.cli.bench.search import Answers, Line, Question, plain
from bridge.cli.bench.traffic import BenchFailed

MESSAGES = 600
FEW = ["search", "--messages", str(MESSAGES), "--questions", "2", "--rounds", "1", "--json"]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where an archive stays."""
    return tmp_path_factory.mktemp("bench") / "archive"


def rows_of(arguments: list[str], folder: Path) -> list[dict]:
    """The rows that the command prints."""
    named = ["--rivals", str(folder / "none"), "--folder", str(folder)]
    result = CliRunner().invoke(bench, [*arguments, *named], catch_exceptions=False)
    assert result.exit_code == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_both_engines_find_everything_there_is(tmp_path: Path, archive: Path) -> None:
    """An archive is made and indexed once; ours and FTS5 find in it what looking at every text finds."""
    rows = rows_of([*FEW, "--archive", str(archive)], tmp_path)
    kinds = [row["kind"] for row in rows]
    assert kinds[:3] == ["filled", "built", "built"]
    found = [row for row in rows if row["kind"] == "found"]
    assert {row["engine"] for row in found} == {"weighbridge", "FTS5, plain text"}
    assert {row["window"] for row in found} == {"all", "30 days"}
    assert {row["asked"] for row in found} == set(search._KINDS)
    assert all(row["recall"] == 1.0 for row in found)
    assert sum(row["hits"] for row in found) > 100
    again = rows_of([*FEW, "--archive", str(archive)], tmp_path)
    assert "filled" not in [row["kind"] for row in again]
    assert list(tmp_path.iterdir()) == []


def test_a_growing_archive_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At each size: how fast it grew, how fast the index followed, and how long searches took."""
    monkeypatch.setattr(search, "SIZES", (100,))
    monkeypatch.setattr(corpus, "AT_ONCE", 1)
    monkeypatch.setattr(corpus, "TOGETHER", 50)
    rows = rows_of(["search", "--grow", "--messages", "200", "--questions", "1", "--json"], tmp_path)
    assert [row["messages"] for row in rows] == [100, 200]
    assert all(row["index_per_second"] > 0 and row["recent_p50_ms"] > 0 for row in rows)


def test_a_search_that_is_wrong_has_no_figure() -> None:
    """One message too many or too few of ours ends the bench, and says for which question."""
    asked = [Question("phrase", "all", '"a b"', ("a", "b"))]
    answers = {"weighbridge": Answers({0: [3, 1]}, {0: [1.0]}, {0: [1.0]})}
    with pytest.raises(BenchFailed, match=r"weighbridge: '\"a b\"' is wrong about messages \[1, 2\]"):
        list(search._compared(answers, asked, [[3, 2]]))


def test_recall_of_the_others_is_told() -> None:
    """Whoever finds half of it has a recall of a half, beside how long it took."""
    asked = [Question("phrase", "all", '"a b"', ("a", "b"))]
    ours = Answers({0: [3, 2]}, {0: [1.0]}, {0: [1.0]})
    answers = {"weighbridge": ours, "other": Answers({0: [3]}, {0: [2.0, 4.0]}, {0: [1.0, 2.0]})}
    first, other = search._compared(answers, asked, [[3, 2]])
    assert (first["recall"], other["recall"], other["p50_ms"], other["p99_ms"]) == (1.0, 0.5, 3.0, 4.0)


LINE = Line(7, 1, "wm-1", "wkDesk/wm-1", "", " bado feku 国家安全 7 ")


@pytest.mark.parametrize(
    ("question", "meant"),
    [
        (Question("", "", "", (), (" bado ", "家安")), True),
        (Question("", "", "", (), (" ado ",)), False),
        (Question("", "", "", (), sender="wm-2"), False),
        (Question("", "", "", (), conversation="wkDesk/wm-1", first=7, last=7), True),
        (Question("", "", "", (), (" bado ",), first=8), False),
    ],
    ids=["words and characters", "a part of a word", "somebody else", "its number", "before the window"],
)
def test_a_question_means_what_it_says(question: Question, meant: bool) -> None:
    """The truth is a plain look at text, sender, conversation and number."""
    assert question.meant(LINE) is meant


def test_words_reach_the_others_whole() -> None:
    """Engines for words get every word as one, with nothing in it at which they would cut."""
    assert [plain("t:国家"), plain("t:$"), plain("in:wkDesk/wm-1")] == ["国家", "x24", "inx3awkDeskx2fwmx2d1"]
