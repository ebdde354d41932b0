"""Answers to requests to be forgotten: the month, the letter in three languages, what it never says."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bridge.records.erasure import (
    ERASED,
    KEPT,
    LANGUAGES,
    Answer,
    Carried,
    Paired,
    Request,
    due,
    letter,
    months_later,
)

AT = round(datetime(2026, 11, 22, 9, 30, tzinfo=UTC).timestamp() * 1000)
UNTIL = round(datetime(2033, 4, 2, tzinfo=UTC).timestamp() * 1000)
ASKED = Request(1, "李雷", "gdpr", "bob.li@bank.example", "a letter", AT, due(AT), "with:=wmLiLei", AT, 5)
LAW = "MiFID II article 16(7)"
ANSWERS = (
    Answer(1, ERASED, AT - 1, "hk/short"),
    Answer(2, KEPT, UNTIL, "hk/records", ("retention until 2033-04-02",), LAW),
    Answer(3, KEPT, UNTIL, "hk/records", ("retention until 2033-04-02", "hold CASE-7"), LAW),
    Answer(4, KEPT, AT - 1, "hk/short", ("hold CASE-7",)),
    Answer(5, KEPT, None, "swap/deals", ("retention: deal-termination has not happened",)),
    Answer(6, KEPT, UNTIL + 1, "firm-wide/house", ("retention until 2033-04-02",)),
)
PLANNED = Carried(expires_at=AT + 30 * 86_400_000)
LATER = AT + 86_400_000


def written(language: str, *answers: Answer, carried: Carried = PLANNED, at: int = LATER) -> str:
    """The letter about these answers, or about all."""
    request = replace(ASKED, answers=answers or ANSWERS, carried=carried)
    return "\n".join(letter(request, language, sender="Example Bank, 1 Pier Road", at=at))


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
    """Who writes and when; what is erased, what is kept not before when it goes, by which provision; whoever
    is looked into does not learn it."""
    text = written(language)
    for part in ("李雷", "2026-11-22", "2026-11-23", "2033-04-02", LAW, "GDPR", "1 Pier Road"):
        assert part in text
    assert "CASE-7" not in text
    assert "{" not in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_hold_changes_no_word_of_the_letter(language: str) -> None:
    """A record under a hold is answered as one of the same term, or as one on which work is not finished."""
    held = Answer(1, KEPT, UNTIL, "hk/records", ("retention until 2033-04-02", "hold CASE-7"), LAW)
    free = replace(held, reasons=("retention until 2033-04-02",))
    assert written(language, held) == written(language, free)
    over = Answer(1, KEPT, AT - 1, "hk/short", ("hold CASE-7",))
    assert written(language, over) == written(language, replace(over, reasons=("delivery open",)))
    assert "preserve" not in written("en")
    assert "erased after that" not in written("en")


def test_a_law_is_named_only_where_one_asks_for_it() -> None:
    """A period of the firm's own is its own rule, also where it waits for an event."""
    assert "law requires that this be kept: MiFID II article 16(7)" in written("en", ANSWERS[1])
    for own in (ANSWERS[4], ANSWERS[5]):
        text = written("en", own)
        assert "our own retention rules say so" in text
        assert "because a law" not in text
    open_law = replace(ANSWERS[4], rule="CFTC Regulation 1.31, swaps")
    assert "a law requires it: CFTC Regulation 1.31, swaps" in written("en", open_law)


def test_the_letter_says_how_far_the_erasure_is() -> None:
    """To be confirmed; done, and on which day; given up or stale; what stayed behind, without its reason."""
    one, two = ANSWERS[0], replace(ANSWERS[0], message=2)
    soon = "as soon as two persons have confirmed"
    assert soon in written("en", one)
    done = written("en", one, two, carried=Carried(1, LATER, PLANNED.expires_at, over=True))
    assert "Erased: 1 record, with the attachments that no other record has, the last on 2026-11-23" in done
    assert "Kept for now: 1 record" in done
    for carried, at in ((Carried(), LATER), (PLANNED, PLANNED.expires_at + 1)):
        given_up = written("en", one, carried=carried, at=at)
        assert "not erased yet" in given_up
        assert soon not in given_up
    assert soon not in done


@pytest.mark.parametrize(
    ("language", "law"),
    [
        ("zh-Hans", "《中华人民共和国个人信息保护法》第四十七条"),
        ("zh-Hant", "《中華人民共和國個人信息保護法》第四十七條"),
    ],
)
def test_a_chinese_letter_names_the_law_in_chinese(language: str, law: str) -> None:
    """As it is called there."""
    request = replace(ASKED, law="pipl", answers=ANSWERS)
    assert law in "\n".join(letter(request, language, sender="银行", at=LATER))


def test_nothing_to_answer_is_an_answer() -> None:
    """Of somebody unknown there is no record, by either law; three months at the very latest."""
    text = list(letter(replace(ASKED, law="pipl"), "en", sender="Example Bank", at=LATER))
    assert "We have no record of you." in text
    assert ASKED.due_at == months_later(AT, 1)
    assert ASKED.longest == months_later(AT, 3)


NAMES = replace(
    ASKED,
    pairs=(Paired(1, ERASED), Paired(2, ERASED), Paired(3, KEPT, ("hold CASE-7",))),
    consents={ERASED: 3, KEPT: 1},
)


@pytest.mark.parametrize(
    ("carried", "lines"),
    [
        (
            PLANNED,
            ("of 2 conversations, with 3 consents, to be erased", "of 1 conversation, with 1 consent, on"),
        ),
        (Carried(), ("of 2 conversations, with 3 consents, not erased", "Kept for now: the names")),
        (
            Carried(expires_at=LATER, over=True, pairs=1, consents=1),
            ("of 1 conversation, with 1 consent (disposal 5)", "of 2 conversations, with 3 consents, on"),
        ),
    ],
)
def test_names_are_answered_where_no_record_is(carried: Carried, lines: tuple[str, ...]) -> None:
    """To go, gone, given up; what stayed behind is kept for now. Nobody is told that there is nothing."""
    request = replace(NAMES, carried=carried)
    text = "\n".join(letter(request, "en", sender="Example Bank", at=LATER))
    for line in lines:
        assert line in text
    assert "We have no record of you" not in text
    assert "as long as the people may talk" in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_hold_on_a_pair_changes_no_word_of_the_letter(language: str) -> None:
    """Names are kept in the same words for whatever reason; without consents none is spoken of."""
    one = replace(ASKED, pairs=(Paired(1, KEPT, ("hold CASE-7",)),))
    other = replace(ASKED, pairs=(Paired(1, KEPT, ("the two may talk",)),))
    told = [list(letter(each, language, sender="Bank", at=LATER)) for each in (one, other)]
    assert told[0] == told[1]
    assert "{" not in "".join(told[0])
