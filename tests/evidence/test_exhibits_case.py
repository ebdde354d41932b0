"""What a package is made of: places, pieces, and what belongs to no message."""

from __future__ import annotations

from bridge.evidence.exhibits import Case, Exhibit, Life
from bridge.ledger.content import written
from bridge.ledger.entry import Entry, encode


def test_an_exhibit_knows_its_place_and_its_fields() -> None:
    """From its bytes; content that is gone has no fields."""
    data = encode(Entry(2, 40, 5, "message:archived", "message/1", {"message": 1}, "d"))
    exhibit = Exhibit(data, (), b"s", written({"text": "hi"}), b"raw")
    assert exhibit.place == (2, 40)
    assert exhibit.pieces == (("text", b'"text":"hi"'), ("(raw)", b"raw"))
    assert Exhibit(data, ()).pieces == ()


def test_context_is_what_belongs_to_no_message() -> None:
    """Pairs and policies: once, however many messages rest on them."""
    exhibits = {
        (0, seq): Exhibit(encode(Entry(0, seq, 5, "message:noted", "message/1", {})), ()) for seq in (3, 1, 2)
    }
    life = Life(1, 1, "asked for", 0, ((0, 2), (0, 3)))
    case = Case(exhibits, (life,), ())
    assert case.context == [(0, 1)]
    assert [one.place for one in case.about(life)] == [(0, 2), (0, 3)]
