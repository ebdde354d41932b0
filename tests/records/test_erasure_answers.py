"""Answers to requests to be forgotten: the month, the letter in three languages, what it never says."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bridge.records.erasure import ERASED, KEPT, LANGUAGES, Answer, Request, due, letter, months_later

AT = round(datetime(2026, 11, 22, 9, 30, tzinfo=UTC).timestamp() * 1000)
UNTIL = round(datetime(2033, 4, 2, tzinfo=UTC).timestamp() * 1000)
ASKED = Request(1, "李雷", "gdpr", "bob.li@bank.example", "a letter", AT, due(AT), "with:李雷", AT, 5)
ANSWERS = (
    Answer(1, ERASED, AT - 1, "hk/short"),
    Answer(2, KEPT, UNTIL, "hk/records", ("retention until 2033-04-02",)),
    Answer(3, KEPT, UNTIL, "hk/records", ("retention until 2033-04-02", "hold CASE-7")),
    Answer(4, KEPT, AT - 1, "hk/short", ("hold CASE-7",)),
    Answer(5, KEPT, None, "swap/deals", ("retention: deal-termination has not happened",)),
)


@pytest.mark.parametrize(
    ("day", "months", "then"),
    [
        ((2026, 11, 22), 1, (2026, 12, 22)),
        ((2026, 1, 31), 1, (2026, 2, 28)),
        ((2028, 1, 31), 1, (2028, 2, 29)),
        ((2026, 11, 30), 3, (2027, 2, 28)),
        ((2026, 12, 31), 1, (2027, 1, 31)),
    ],
)
def test_a_month_is_a_month_of_the_calendar(day: tuple[int, int, int], months: int, then: tuple) -> None:
    """Or ends with a shorter one."""
    at = round(datetime(*day, tzinfo=UTC).timestamp() * 1000)
    assert months_later(at, months) == round(datetime(*then, tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_letter_answers_every_record_and_names_no_hold(language: str) -> None:
    """What is erased, what is kept until when by which rule; whoever is looked into does not learn it."""
    text = "\n".join(letter(replace(ASKED, answers=ANSWERS), language))
    for part in ("李雷", "2026-11-22", "2033-04-02", "hk/records", "swap/deals", "GDPR"):
        assert part in text
    assert "CASE-7" not in text
    assert "{" not in text


def test_nothing_to_answer_is_an_answer() -> None:
    """Of somebody unknown there is no record, by either law; three months at the very latest."""
    assert "We have no record of you." in letter(replace(ASKED, law="pipl"), "en")
    assert ASKED.due_at == months_later(AT, 1)
    assert ASKED.longest == months_later(AT, 3)
