"""What people read of a message: all of it, in one order."""

from __future__ import annotations

import corpus

from bridge.records.exports.reading import facts, heading, other_side


def test_facts_say_what_became_of_a_message() -> None:
    """Decisions with persons, deliveries with states, links by number, the entry that testifies to it."""
    told = [value for _, value in facts(next(corpus.slices()[0].lines), "en") if value]
    released = " ".join(value for _, value in facts([*corpus.slices()[0].lines][1], "en"))
    assert any("cards/card" in value for value in told)
    assert "bob.li@bank.example" in released
    assert "failed" in released
    assert "window" in released


def test_the_other_side_is_shown_only_where_it_saw_something_else() -> None:
    """Masked words, the same words, or nothing."""
    masked, same, *_ = corpus.slices()[0].lines
    assert other_side(masked, "en") == "卡号 ************1111"
    assert other_side(same, "en") == "as written"
    assert other_side(corpus.line(9, "x", sent=""), "zh-Hans") == "未送达"


def test_a_heading_says_who_was_there() -> None:
    """Everybody with an address, and who was present before the first message."""
    told = dict(heading(corpus.request(), corpus.slices()[0], "en"))
    assert corpus.BOB.address in told["Participants"]
    assert "Bob Li" not in told["Present when the day began"]
