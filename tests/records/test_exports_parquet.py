"""Columns: pyarrow reads them back with their types, and every text as it was."""

from __future__ import annotations

import importlib
import io
import sys

import corpus
import pyarrow
import pytest
from pyarrow import parquet

from bridge.errors import Missing
from bridge.records.exports.parquet import PARQUET


@pytest.fixture(scope="module")
def out() -> corpus.Memory:
    """The corpus, exported."""
    memory = corpus.Memory()
    PARQUET.write(corpus.request(), corpus.slices(), {}, memory)
    return memory


def table(out: corpus.Memory, name: str) -> pyarrow.Table:
    """One table, read again."""
    return parquet.read_table(io.BytesIO(out.files[f"{name}-00001.parquet"]))


def test_every_message_is_as_it_was(out: corpus.Memory) -> None:
    """Texts with every sign of Unicode, links as numbers, times as times."""
    lines = [line for one in corpus.slices() for line in one.lines]
    found = table(out, "messages").to_pylist()
    for name in ("text", "sent", "quote", "edits", "recalls", "notice_for", "gone", "origin", "state"):
        assert [row[name] for row in found] == [getattr(line, name) for line in lines], name
    assert [int(row["at"].timestamp() * 1000) for row in found] == [line.at for line in lines]


def test_columns_have_types(out: corpus.Memory) -> None:
    """A time is a time in UTC and a number is a number, whoever reads it."""
    schema = table(out, "messages").schema
    assert str(schema.field("at").type) == "timestamp[ms, tz=UTC]"
    assert str(schema.field("message").type) == "int64"


def test_decisions_attachments_and_presence_have_tables(out: corpus.Memory) -> None:
    """Nothing that is known is left to the texts."""
    assert [row["person"] for row in table(out, "decisions").to_pylist()] == ["", "", corpus.RELEASED.person]
    files = table(out, "attachments").to_pylist()
    assert [bool(row["missing"]) for row in files] == [False, False, False, True]
    assert all(out.files[row["file"]] == corpus.BLOBS[row["sha256"]] for row in files if row["file"])
    events = [row["event"] for row in table(out, "events").to_pylist()]
    assert [events.count(kind) for kind in ("present", "join", "leave")] == [4, 1, 1]
    assert len(table(out, "participants")) == 5


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has not installed pyarrow is told how, and sees no traceback."""
    name = "bridge.records.exports.parquet"
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.delitem(sys.modules, name)
    with pytest.raises(Missing, match=r"weighbridge\[parquet\]"):
        importlib.import_module(name)
