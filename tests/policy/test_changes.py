"""One change: a value that survives JSON, and a sentence that fits on a line in three languages."""

from __future__ import annotations

import datetime
import json

import pytest

from bridge.policy import language as lang
from bridge.policy.changes import SHOWN, Change, Direction, from_record, shown

WORDS = Change(Direction.TIGHTER, "hk", "list", "mnpi", "words", (), ("配售", "placing"))
DISTANCE = Change(Direction.LOOSER, "hk", "detector", "pass", "context.within", "20", "10")
GONE = Change(Direction.LOOSER, "hk", "legal_hold", "lh-1", "", "{}", "")


@pytest.mark.parametrize("change", [WORDS, DISTANCE, GONE])
def test_a_change_survives_json(change: Change) -> None:
    """What a proposal keeps is what was compared."""
    assert from_record(json.loads(json.dumps(change.record()))) == change


def test_sentences_name_what_stands_in_the_file() -> None:
    """Subject, key as written, and the difference; what came or went whole is said so."""
    assert WORDS.sentence() == "list hk/mnpi: words +配售 +placing"
    assert DISTANCE.sentence() == "detector hk/pass: context.within 20 → 10"
    assert GONE.sentence() == "legal hold hk/lh-1: removed"
    assert Change(Direction.CHECK, "hk", "policy", "", "timezone", "UTC", "").sentence() == (
        "policy hk: timezone UTC → nothing"
    )


def test_sentences_speak_three_languages() -> None:
    """Simplified and Traditional are told apart; an unknown language is answered in English."""
    assert GONE.sentence("zh-Hans") == "法律保全 hk/lh-1：删除"
    assert GONE.sentence("zh-Hant") == "法律保全 hk/lh-1：刪除"
    assert GONE.sentence("fr") == GONE.sentence("en")


def test_long_lists_are_counted_not_printed() -> None:
    """Ten thousand new words do not fill the screen; the record has them all."""
    words = tuple(f"w{number}" for number in range(10_000))
    change = Change(Direction.TIGHTER, "hk", "list", "l", "words", (), words)
    assert change.sentence().endswith(f"and {10_000 - SHOWN} more")
    assert len(change.sentence()) < 200 and len(change.record()["after"]) == 10_000


def test_values_are_shown_as_policies_write_them() -> None:
    """Durations, switches, dates and sections: what a reader would find in the file."""
    assert shown(datetime.timedelta(hours=24)) == "1d"
    assert shown(datetime.timedelta(minutes=90)) == "90m"
    assert shown(True) == "true" and shown(None) == "" and shown(2.5) == "2.5"
    assert shown(datetime.date(2027, 1, 1)) == "2027-01-01"
    assert shown(lang.Redact(keep_last=4)) == '{"keep_last": 4}'
    assert shown((lang.Tell.model_validate({"zh-Hans": "好"}),)) == ('{"zh-Hans": "好"}',)
