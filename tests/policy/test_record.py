"""Records: every field of a verdict goes into plain values and comes back."""

from __future__ import annotations

import json
from dataclasses import fields

from bridge.message import Annotation, Cause, Match, Outcome, Retention, Sample, Verdict
from bridge.policy import as_record, from_record

FULL = Verdict(
    outcome=Outcome.HOLD,
    cause=Cause.RULE,
    text="卡 ****",
    reason="rule p/r",
    matches=(
        Match("p", "r", "Title", Outcome.HOLD, False, ("card",), ((0, 3), (5, 6)), "found card", "ipo"),
        Match("p", "s", "Other", Outcome.ANNOTATE),
    ),
    tell={"zh": "不。", "en": "No."},
    tags=("a", "b"),
    waits=True,
    policies=(("p", "00ff"),),
    queue="control-room",
    decide_within=900_000,
    if_late="block",
    annotations=(Annotation("p/d", {"en": "Not advice."}),),
    notify=("desk@bank.example",),
    samples=(Sample("p/s", "daily", 10.0, "manual 7"),),
    ask={"zh": "同意吗？"},
    agreed=("p",),
    gated=True,
    retention=(Retention("p/house", "7y", "last_trade", True, "2y"),),
    legal_holds=("p/case",),
    archives=("p/worm",),
    lists=(("p/words", 1_767_600_000_000),),
    directory="0123456789abcdef",
    engine="0.1.0+0123456789ab",
)


def test_the_example_says_something_in_every_field() -> None:
    """A field that is added to the verdict must be added here, or it would be tested empty."""
    plain = Verdict(Outcome.DELIVER, Cause.DEFAULT, "")
    assert [f.name for f in fields(Verdict) if getattr(FULL, f.name) == getattr(plain, f.name)] == []


def test_every_field_comes_back_from_json() -> None:
    """What was written down is equal to what was decided, also after a journey through JSON."""
    assert from_record(as_record(FULL)) == FULL
    assert from_record(json.loads(json.dumps(as_record(FULL)))) == FULL


def test_what_says_nothing_is_not_written() -> None:
    """A short verdict has a short record, and what an older version did not know reads as its default."""
    short = Verdict(Outcome.DELIVER, Cause.DEFAULT, "hello")
    assert as_record(short) == {"outcome": "deliver", "cause": "default", "text": "hello"}
    assert from_record(as_record(short)) == short
