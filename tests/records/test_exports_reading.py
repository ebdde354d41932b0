"""What people read of a message: all of it, in one order."""

from __future__ import annotations

import corpus

from bridge.records.exports.reading import facts, heading, other_side, sides


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
    part, under_way = (
        corpus.line(9, "x", sent="", offered="y", deliveries=(one,)) for one in (corpus.PART, corpus.CLAIMED)
    )
    assert other_side(part, "en") == "in part only (x7, x8): y"
    assert other_side(under_way, "en") == "not known yet whether this: y"


def test_a_clients_copy_has_words_once() -> None:
    """What he wrote as written; what others wrote as he was shown it, be it in part."""
    own = corpus.line(1, "x", sent="", copy=True)
    shown = corpus.line(2, "y", sent="", sender=corpus.ALICE, deliveries=(corpus.SENT,), copy=True)
    part = corpus.line(3, "z", sent="", sender=corpus.ALICE, deliveries=(corpus.PART,), copy=True)
    told = [list(sides(one, "en")) for one in (own, shown, part)]
    assert told == [[("written", "x")], [("shown", "y")], [("shown", "in part only: z")]]


def test_a_heading_says_who_was_there() -> None:
    """Everybody with an address, and who was present before the first message."""
    told = dict(heading(corpus.request(), corpus.slices()[0], "en"))
    assert corpus.BOB.address in told["Participants"]
    assert "Bob Li" not in told["Present when the day began"]
