"""People: whom a name means."""

from __future__ import annotations

import pytest
from specimens import ALICE, LI_LEI, finds, wrote

from bridge.search.document import Person
from bridge.search.people import words


@pytest.mark.parametrize("name", ["alice", "WONG", '"alice wong"', "alice.wong", "7001", "@bank.example"])
def test_alice_is_meant(name: str) -> None:
    """By part of name or address, by id, by domain."""
    assert finds(f"from:{name}", wrote("hi"))


@pytest.mark.parametrize(
    "name", ["700", "bank", "example", "wong.alice", "ong", "@example", "x@bank.example"]
)
def test_nobody_is_meant_by_accident(name: str) -> None:
    """A domain is asked for with @, ids and addresses are whole."""
    assert not finds(f"from:{name}", wrote("hi"))


def test_roles_are_kept_apart() -> None:
    """Who wrote, who reads, either, the client."""
    message = wrote("hi", sender=LI_LEI, reader=ALICE, network="weixin")
    assert finds("from:李 to:alice with:alice with:李雷 contact:李", message)
    assert not finds("to:李 OR from:alice OR contact:alice", message)
    assert not finds("to:alice", wrote("hi", reader=None))


def test_words_name_the_whole_and_the_parts() -> None:
    """Names in any script, addresses whole and by domain."""
    assert words(Person("weixin", "wmX", "騰訊 Wang")) == {"wmx", "腾讯 wang", "腾", "讯", "腾讯", "wang"}
    assert words(Person("symphony", "1", "", "a.b@C.example")) == {
        "1",
        "a.b@c.example",
        "a",
        "b",
        "@c.example",
    }
