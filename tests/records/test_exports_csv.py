"""The table: RFC 4180, harmless in a spreadsheet, and still exact for a program."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace

import corpus
import pytest

from bridge.records.exports.csv import COLUMNS, CSV, as_written, harmless


@pytest.fixture(scope="module")
def out() -> corpus.Memory:
    """The corpus, exported."""
    memory = corpus.Memory()
    CSV.write(corpus.request(), corpus.slices(), {}, memory)
    return memory


def rows(out: corpus.Memory) -> list[dict[str, str]]:
    """What the standard library reads, cells as they were written."""
    text = out.files["posts-00001.csv"].decode("utf-8-sig")
    found: Iterator[list[str]] = csv.reader(io.StringIO(text, newline=""), strict=True)
    names = next(found)
    return [dict(zip(names, map(as_written, cells), strict=True)) for cells in found]


def test_every_message_is_a_row_with_its_very_text(out: corpus.Memory) -> None:
    """Breaks, quotes, NUL and formulas come back as they were."""
    lines = [line for one in corpus.slices() for line in one.lines]
    found = [row for row in rows(out) if row["type"] == "message"]
    assert [row["text"] for row in found] == [line.text for line in lines]
    assert [row["sent"] for row in found] == [line.sent for line in lines]
    assert [row["message"] for row in found] == [str(line.number) for line in lines]
    assert [row["edits"] for row in found if row["edits"]] == ["2"]
    assert json.loads(found[1]["decisions"])[1]["person"] == corpus.RELEASED.person


SIGNS = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
HOSTILE = (
    *("＝HYPERLINK(1)", "＠SUM(1)", "ok;=cmd|' /C calc'!A0;x", "a;b;'=1", ";'", "''", ";;''=1;'"),
    *("line\n=2+2", "line\r\n-1", "\r\n.\r\n", "\n\n'=", "- item\n- item", ";-)"),
    *(
        'x;"=1+1;y',
        'x;""=1',
        'x\n"=1',
        ";  =1+1",
        ";\t=1+1",
        '; " "＝1',
        "; '=1",
        "\u3000=1",
        "\ufeff=1",
        "ok;\u200b\x00@SUM(1)",
        '  "=1',
        " \"'=1",
    ),
)


def test_no_cell_can_become_a_formula(out: corpus.Memory) -> None:
    """A spreadsheet computes nothing of what people wrote, in whatever column it stands, and whichever sign
    it takes for the one between cells."""
    text = out.files["posts-00001.csv"].decode("utf-8-sig")
    for cells in csv.reader(io.StringIO(text, newline="")):
        assert not any(cell.startswith((*SIGNS, "\t", "\r")) for cell in cells)
    for text in HOSTILE:
        for cell in re.split(r"[;\r\n]", harmless(text)):
            assert not cell.lstrip("\ufeff\u200b\x00").startswith(SIGNS), text
        assert as_written(harmless(text)) == text
        table = io.StringIO(newline="")
        csv.writer(table, quoting=csv.QUOTE_ALL).writerow(["message", harmless(text), "end"])
        for cells in csv.reader(io.StringIO(table.getvalue(), newline=""), delimiter=";"):
            assert not any(cell.strip().startswith(SIGNS) for cell in cells), text
    assert all(as_written(harmless(text)) == text for text in corpus.TEXTS)
    assert as_written(harmless("'quoted")) == "'quoted"


def test_what_a_spreadsheet_cannot_hold_is_a_warning() -> None:
    """A program reads all of it; a spreadsheet cuts it off, or ends at a NUL."""
    memory = corpus.Memory()
    items = (corpus.line(1, "x" * 32_768), corpus.line(2, "\x00=1"), corpus.line(3, "plain"))
    CSV.write(corpus.request(), [replace(corpus.slices()[0], items=items)], {}, memory)
    assert [(code, number) for code, number, _ in memory.warnings] == [("long", 1), ("control", 2)]
    assert [row["text"] for row in rows(memory) if row["type"] == "message"] == [one.text for one in items]


def test_who_was_there_and_what_was_attached(out: corpus.Memory) -> None:
    """Presence, coming, leaving, attachments and missing ones are rows of their own types."""
    kinds = [row["type"] for row in rows(out)]
    assert [kinds.count(kind) for kind in ("previously-joined", "enter", "leave")] == [4, 1, 1]
    assert [kinds.count(kind) for kind in ("attachment", "deleted-attachment")] == [3, 1]
    for row in rows(out):
        if row["type"] == "attachment":
            assert out.files[row["file"]] == corpus.BLOBS[row["sha256"]]
    assert out.files["warnings-00001.txt"].startswith(b"message 6, attachment 4: the network")


def test_counts_stand_beside_the_table(out: corpus.Memory) -> None:
    """For each conversation and day how much there is, and from when to when."""
    told = json.loads(out.files["metadata-00001.json"])
    assert [one["messages"] for one in told] == [sum(1 for _ in one.lines) for one in corpus.slices()]
    assert set(COLUMNS) >= {"sent", "gone", "origin", "leaf"}
