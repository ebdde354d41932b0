"""How far a long command is: quiet for what is quick, a line now and then for logs."""

from __future__ import annotations

import pytest

from bridge.cli import progress


def test_what_is_quick_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """No line before the first pause is over, and never one on standard output."""
    with progress.progress("reading") as tell:
        for done in range(100):
            tell(done, 100)
    assert capsys.readouterr() == ("", "")


def test_what_takes_long_says_how_far_it_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once a pause is over: how much of how much, on standard error."""
    monkeypatch.setattr(progress, "PAUSE", 0.0)
    with progress.progress("reading") as tell:
        tell(1_000, 2_000)
    assert capsys.readouterr() == ("", "reading: 1,000 of 2,000\n")
