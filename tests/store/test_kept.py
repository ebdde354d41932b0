"""What an entry says of a term, and the row that says the same."""

from __future__ import annotations

import pytest

from bridge.message import Cause, Outcome, Retention, Verdict
from bridge.records.terms import CREATION, Term, end
from bridge.store.codec import verdict_from
from bridge.store.kept import classes_body, facts_of, key_of, name_of, row_of, said_of, term_from

TERMS = (
    Term("hk-equities/records", CREATION, 1_988_582_400_000),
    Term("otc/swaps", "deal-termination", None),
    Term("otc/swaps", "deal-termination", 1_988_582_400_000),
    Term("港股/记录 7", "交易终止", None),
)


@pytest.mark.parametrize("found", TERMS)
def test_facts_and_terms_are_one(found: Term) -> None:
    """Nothing is lost, and all of it is ASCII and whole numbers."""
    facts = facts_of(found)
    assert term_from(facts) == found
    assert all(isinstance(value, int) or str(value).isascii() for value in facts.values())
    row = row_of(7, 9, facts)
    assert (name_of(str(row["key"])), name_of(str(row["start"])), row["until"]) == (
        found.key,
        found.start,
        found.until,
    )


def test_no_class_says_nothing() -> None:
    """An entry of a record without a class has no word of a term."""
    assert facts_of(None) == {} and term_from({"message": 1}) is None


def test_names_come_back() -> None:
    """Whatever a policy is called."""
    assert name_of(key_of("港股/a b%20")) == "港股/a b%20"


def test_a_verdict_says_its_term() -> None:
    """The class that governs, from the moment of archiving; and all its classes can be read again."""
    classes = (Retention("a/1", "7y", worm=True), Retention("a/2", "3y", first="2y"))
    verdict = Verdict(Outcome.DELIVER, Cause.DEFAULT, "", retention=classes)
    assert said_of(verdict, 0) == {"kept": "a/1", "until": end(0, "7y")}
    body = classes_body(classes)
    assert verdict_from(b'{"outcome":"deliver","cause":"default",' + body[1:], "").retention == classes
