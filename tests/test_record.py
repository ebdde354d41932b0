"""Verdicts as plain values: nothing is lost, nothing empty is written, and JSON carries all of it."""

from __future__ import annotations

import json
from dataclasses import fields

from hypothesis import given
from hypothesis import strategies as st

from bridge.message import Annotation, Cause, Match, Outcome, Retention, Sample, Verdict
from bridge.record import as_record, from_record, whole_record

TEXTS = st.text(max_size=8)
TAGGED = st.dictionaries(TEXTS, TEXTS, max_size=3)
NAMES = st.lists(TEXTS, max_size=3).map(tuple)
SPANS = st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), max_size=3).map(tuple)
MATCHES = st.builds(
    Match,
    policy=TEXTS,
    rule=TEXTS,
    title=TEXTS,
    outcome=st.sampled_from(Outcome),
    enforced=st.booleans(),
    detectors=NAMES,
    spans=SPANS,
    why=TEXTS,
    exception=TEXTS,
)
VERDICTS = st.builds(
    Verdict,
    outcome=st.sampled_from(Outcome),
    cause=st.sampled_from(Cause),
    text=TEXTS,
    reason=TEXTS,
    matches=st.lists(MATCHES, max_size=2).map(tuple),
    tell=TAGGED,
    tags=NAMES,
    waits=st.booleans(),
    policies=st.lists(st.tuples(TEXTS, TEXTS), max_size=2).map(tuple),
    queue=TEXTS,
    decide_within=st.integers(0, 10**9),
    if_late=TEXTS,
    annotations=st.lists(st.builds(Annotation, TEXTS, TAGGED), max_size=2).map(tuple),
    notify=NAMES,
    samples=st.lists(
        st.builds(Sample, TEXTS, TEXTS, st.floats(0.001, 100, allow_nan=False), TEXTS), max_size=2
    ).map(tuple),
    ask=TAGGED,
    agreed=NAMES,
    gated=st.booleans(),
    retention=st.lists(st.builds(Retention, TEXTS, TEXTS, TEXTS, st.booleans(), TEXTS), max_size=2).map(
        tuple
    ),
    legal_holds=NAMES,
    archives=NAMES,
    lists=st.lists(st.tuples(TEXTS, st.integers(0, 2**50)), max_size=2).map(tuple),
    directory=TEXTS,
    engine=TEXTS,
)


@given(VERDICTS)
def test_any_verdict_comes_back(verdict: Verdict) -> None:
    """Through JSON and back, from the brief record and from the whole one."""
    for record in (as_record(verdict), whole_record(verdict)):
        assert from_record(json.loads(json.dumps(record))) == verdict


@given(VERDICTS)
def test_a_whole_record_has_every_field(verdict: Verdict) -> None:
    """Whoever reads JSON finds each field, also where there is nothing to say."""
    record = whole_record(verdict)
    assert set(record) == {field.name for field in fields(Verdict)}
    empty = Verdict(Outcome.DELIVER, Cause.DEFAULT, "")
    for field in fields(Verdict):
        plain = whole_record(empty)[field.name]
        assert isinstance(record[field.name], type(plain))


def test_a_brief_record_says_nothing_of_what_is_empty() -> None:
    """Most messages just pass: their record is short."""
    passed = Verdict(Outcome.DELIVER, Cause.DEFAULT, "hello", policies=(("desk", "5f"),))
    assert as_record(passed) == {
        "outcome": "deliver", "cause": "default", "text": "hello", "policies": [["desk", "5f"]],
    }  # fmt: skip


def test_what_says_nothing_is_not_written() -> None:
    """A short verdict has a short record, and what an older version did not know reads as its default."""
    short = Verdict(Outcome.DELIVER, Cause.DEFAULT, "hello")
    assert as_record(short) == {"outcome": "deliver", "cause": "default", "text": "hello"}
    assert from_record(as_record(short)) == short
