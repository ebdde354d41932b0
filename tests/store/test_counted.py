"""Behind every count of a certificate there is a list, as long as the count says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection
from story import copy_of_the_story

from bridge.keepers import KeyFile
from bridge.message import SYMPHONY, WEIXIN
from bridge.records.certificate import Account, Certificate
from bridge.store import reconciling
from bridge.store.counted import behind, names
from bridge.store.database import open_engine

FOREVER = 1 << 61


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Connection]:
    """A connection to a copy of the story."""
    copy_of_the_story(tmp_path)
    engine = open_engine(f"sqlite:///{tmp_path}/weighbridge.db", KeyFile(tmp_path / "secrets/store-key"))
    with engine.connect() as connection, connection.begin():
        yield connection
    engine.dispose()


def certified(db: Connection) -> Certificate:
    """A certificate of everything, with what networks had beside it: one twice, one from before, one lost."""
    whole = reconciling.span(db, 0, 0, FOREVER)
    found = reconciling.reconcile(db, whole)
    accounts = [Account(*name, dict(counts)) for name, counts in found.counts.items()]
    counts = {"collected": 0, "archived": 0, "duplicate": 1, "excluded": 1, "missing": 1}
    more = {
        f"source {WEIXIN} duplicate": ["message/1 weixin/w1"],
        f"source {WEIXIN} excluded": ["weixin/old"],
        "fault source missing": ["weixin/lost: the network has it", "symphony/lost: the network has it"],
    }
    return Certificate(
        "2026-01-05",
        1,
        0,
        FOREVER,
        0,
        (1, ""),
        (*accounts, Account("source", WEIXIN, counts)),
        found.lists | more,
        entries=whole.entries,
        written=found.written,
    )


def test_lists_are_as_long_as_their_counts(db: Connection) -> None:
    """Deliveries and copies, failed or not, by the names that the certificate calls them."""
    made = certified(db)
    sinks = [one for one in made.accounts if one.kind in ("sink", "archive")]
    assert {one.name for one in sinks} >= {SYMPHONY, WEIXIN}
    for one in sinks:
        for count, number in one.counts.items():
            assert len(list(behind(db, made, f"{one.kind} {one.name} {count}"))) == number


def test_a_sources_lists_are_those_of_its_network(db: Connection) -> None:
    """What came in, and beside it what the network showed twice, from before the bridge came, or in vain."""
    made = certified(db)
    archived = list(behind(db, made, f"source {WEIXIN} archived"))
    assert archived and all(f" {WEIXIN}/" in one for one in archived)
    missing = list(behind(db, made, f"source {WEIXIN} missing"))
    assert missing == ["weixin/lost: the network has it"]
    collected = list(behind(db, made, f"source {WEIXIN} collected"))
    assert collected == [*archived, "message/1 weixin/w1", "weixin/old", *missing]


def test_an_export_is_listed_with_how_much_it_has(db: Connection) -> None:
    """An export is a file of many messages: it is named, with their number."""
    made = Certificate(
        "2026-01-05", 1, 0, FOREVER, 0, (1, ""), (Account("export", "all", {"collected": 0, "archived": 0}),)
    )
    assert list(behind(db, made, "export all archived")) == []


def test_what_is_no_count_has_no_list(db: Connection) -> None:
    """A name that the certificate does not count by is refused; those that it does are told."""
    made = certified(db)
    assert f"sink {WEIXIN} archived" in names(made) and "fault source missing" in names(made)
    with pytest.raises(LookupError):
        behind(db, made, "nothing of the kind")
