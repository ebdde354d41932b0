"""The table of formats: every row is there, and whatever a format may lose is said before it is chosen."""

from __future__ import annotations

import pytest

from bridge.errors import Missing
from bridge.records.exports import FORMATS, known, opened


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_of_the_table_can_be_opened(name: str) -> None:
    """The table names modules that exist, and each calls itself what the table calls it."""
    assert opened(known(name)).name == name


def test_an_unknown_format_is_answered_with_those_there_are() -> None:
    """Whoever mistypes a format learns the names."""
    with pytest.raises(Missing, match="jsonl"):
        known("pst")
