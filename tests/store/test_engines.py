"""Two engines behind one store: which of them an address names, and what is said of it to people."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection

from bridge.store import engines
from bridge.store.engines import address_of, place
from bridge.store.vault import vault_of


@pytest.mark.parametrize(
    ("url", "driver"),
    [
        ("sqlite:///w.db", "sqlite"),
        ("postgresql://w@db.bank.example/w", "postgresql+psycopg"),
        ("postgresql+psycopg://w@db.bank.example/w", "postgresql+psycopg"),
    ],
)
def test_an_address_names_an_engine_and_its_driver(url: str, driver: str) -> None:
    """Whatever driver SQLAlchemy would choose, there is one for each."""
    assert address_of(url).drivername == driver


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("sqlite:////srv/w.db", "/srv/w.db"),
        ("postgresql://w:hush@db.bank.example:5433/w", "PostgreSQL database w at db.bank.example:5433"),
        ("postgresql://w@/w?host=/run/postgresql", "PostgreSQL database w at /run/postgresql"),
        ("postgresql:///w?password=hush", "PostgreSQL database w at this machine"),
        ("postgresql:///?service=records&password=hush", "PostgreSQL service records"),
    ],
)
def test_people_are_told_where_a_store_is_and_no_password(url: str, words: str) -> None:
    """File, or database and host: enough to look for it, nothing to get in with."""
    assert place(url) == words


def test_an_engine_prints_no_password() -> None:
    """Wherever an engine is part of a text, its password is not."""
    assert "hush" not in repr(engines.open_engine("postgresql://w:hush@db.bank.example/w"))


async def test_both_engines_answer_the_same_questions(hands, engine: str) -> None:  # type: ignore[no-untyped-def]
    """A transaction sees one moment and writes nothing, unless it was begun to write."""

    def ask(db: Connection) -> tuple[str, int]:
        return db.dialect.name, db.exec_driver_sql("SELECT count(*) FROM lanes").scalar() or 0

    assert await hands.store.read(ask) == (engine, 1)
    assert vault_of(hands.store.engine).installation
