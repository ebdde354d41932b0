"""The edition: one name for all that decides."""

from __future__ import annotations

import re

import pytest

from bridge.policy import edition


def test_the_same_program_has_the_same_name() -> None:
    """A version and twelve hex digits, equal whenever they are computed."""
    edition.edition.cache_clear()
    first = edition.edition()
    edition.edition.cache_clear()
    assert edition.edition() == first
    assert re.fullmatch(r"[\w.]+\+[0-9a-f]{12}", first)


@pytest.mark.parametrize("module", ["judge", "folding", "language"])
def test_another_source_is_another_edition(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One changed byte in a file that decides changes the name."""
    edition.edition.cache_clear()
    before = edition.edition()
    original = edition.pkgutil.get_data

    def changed(package: str, resource: str) -> bytes | None:
        return (original(package, resource) or b"") + (b"#" if resource == f"{module}.py" else b"")

    monkeypatch.setattr(edition.pkgutil, "get_data", changed)
    edition.edition.cache_clear()
    after = edition.edition()
    edition.edition.cache_clear()
    assert after != before


def test_another_table_is_another_edition(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new version of what others publish, such as a year's trading days, changes the name."""
    edition.edition.cache_clear()
    before = edition.edition()
    original = edition.metadata.version
    monkeypatch.setattr(
        edition.metadata, "version", lambda name: original(name) + ("1" if name == "holidays" else "")
    )
    edition.edition.cache_clear()
    after = edition.edition()
    edition.edition.cache_clear()
    assert after != before
