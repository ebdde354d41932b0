"""The manual of the query language: complete, and true."""

from __future__ import annotations

from pathlib import Path

import pytest
from specimens import ask

from bridge.search.manual import reference
from bridge.search.qualifiers import ROWS, SHAPES

PAGE = Path(__file__).resolve().parents[2] / "docs" / "search.md"


def test_the_page_ends_with_what_the_tables_say() -> None:
    """The end of `docs/search.md` is `bridge.search.manual.reference()`: print it, and put it there."""
    assert PAGE.read_text(encoding="utf-8").endswith("\n" + reference())


@pytest.mark.parametrize("example", [row.example for row in ROWS] + [one for _, one in SHAPES.values()])
def test_every_example_reads(example: str) -> None:
    """What the manual shows can be asked, and its canonical form as well."""
    assert ask(str(ask(example))) == ask(example)


def test_every_query_on_the_page_reads() -> None:
    """The block of examples at the top."""
    block = PAGE.read_text(encoding="utf-8").split("```text\n")[1].split("```")[0]
    for line in block.splitlines():
        ask(line.split("    ")[0])
