"""The bridge's own words: in every language, one sentence for one thing, and never a word of a message."""

from __future__ import annotations

import re

import pytest

from bridge import words
from bridge.message import SYMPHONY, Annotation, Cause, Content, Kind, Match, Message, Outcome, Verdict
from bridge.words import LANGUAGES, REFUSALS, chosen, compose, notice, say, shortened
from connectors.weixin import wire

KEYS = tuple(words._TEXTS)
HAN = re.compile(r"[\u4e00-\u9fff]")
MESSAGE = Message(SYMPHONY, "m1", "stream", "7001", 1, text="a codename")


def verdict(outcome: Outcome, cause: Cause = Cause.RULE, **more: object) -> Verdict:
    """An answer of the policy on MESSAGE."""
    return Verdict(outcome, cause, MESSAGE.text, "names a project", **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("key", KEYS)
def test_every_key_speaks_every_language(key: str) -> None:
    """Each sentence exists in each language, and is of that language."""
    assert tuple(words._TEXTS[key]) == LANGUAGES
    english, simplified, traditional = (say(key, language) for language in LANGUAGES)
    assert not HAN.search(english)
    assert HAN.search(simplified) and HAN.search(traditional)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_two_things_are_said_alike(language: str) -> None:
    """A reader can tell from the words alone what happened."""
    sentences = [say(key, language) for key in KEYS]
    assert len(set(sentences)) == len(sentences)


@pytest.mark.parametrize("key", KEYS)
def test_sentences_are_whole(key: str) -> None:
    """Nothing is filled into a sentence; a notice ends with a full stop, a mark stands in brackets."""
    for language in LANGUAGES:
        sentence = say(key, language)
        assert not re.search(r"[{}%]|\s{2}|^\s|\s$", sentence)
        assert sentence.endswith((".", "。")) or re.fullmatch(r"\[.+\]|［.+］", sentence)


@pytest.mark.parametrize("key", KEYS)
def test_the_two_scripts_are_not_mixed(key: str) -> None:
    """A simplified character does not stand in a traditional sentence, nor the other way round."""
    assert not set("條審達對發規許員處遲讀連覆訊續") & set(say(key, "zh-Hans"))
    assert not set("条审达对发规许员处迟读连讯续") & set(say(key, "zh-Hant"))


@pytest.mark.parametrize(
    ("language", "spoken"),
    [
        ("zh", "zh-Hans"),
        ("zh-CN", "zh-Hans"),
        ("zh-SG", "zh-Hans"),
        ("zh-HK", "zh-Hant"),
        ("zh-TW", "zh-Hant"),
        ("de", "en"),
        ("", "en"),
    ],
)
def test_places_are_served_in_their_script(language: str, spoken: str) -> None:
    """A place stands for its script; a language not spoken here is answered in English."""
    assert say("hold", language) == say("hold", spoken)


def test_what_is_unknown_has_no_words() -> None:
    """Asking for words that nobody wrote is a bug."""
    with pytest.raises(KeyError):
        say("weather", "en")


def test_refusals_have_their_words_and_no_others() -> None:
    """Every refusal that is explained has a sentence; a reviewer's rejection is not a network's."""
    assert set(KEYS) >= REFUSALS
    assert not REFUSALS & {"rejected", "released", "hold", "block"}


# --- the policy author's words ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("texts", "language", "answer"),
    [
        ({"zh": "Z", "en": "E"}, "zh-Hans", "Z"),
        ({"zh": "Z", "en": "E"}, "zh-Hant", "Z"),
        ({"zh": "Z", "en": "E"}, "zh-HK", "Z"),
        ({"zh": "Z", "zh-Hant": "T", "en": "E"}, "zh-HK", "T"),
        ({"zh": "Z", "zh-Hant": "T", "en": "E"}, "zh", "Z"),
        ({"zh-Hans": "S", "en": "E"}, "zh", "S"),
        ({"zh-Hans": "S", "en": "E"}, "zh-HK", "E"),
        ({"zh-HK": "H", "zh-Hant": "T"}, "zh-HK", "H"),
        ({"zh": "Z", "en": "E"}, "de", "E"),
        ({"zh": "Z"}, "en", "Z"),
        ({}, "en", ""),
    ],
)
def test_the_nearest_text_is_chosen(texts: dict[str, str], language: str, answer: str) -> None:
    """Exact tag, then script, then "zh" for both scripts, then English, then whatever there is."""
    assert chosen(texts, language) == answer


# --- notices ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("outcome", [Outcome.DELIVER, Outcome.REDACT])
def test_what_passes_is_not_announced(outcome: Outcome) -> None:
    """The sender of a delivered message hears nothing, unless the rule's author wrote something."""
    assert notice(MESSAGE, verdict(outcome), True, "en") == ""
    assert notice(MESSAGE, verdict(outcome, tell={"en": "Mind the rules."}), True, "en") == "Mind the rules."


@pytest.mark.parametrize(
    ("outcome", "cause", "paired", "key"),
    [
        (Outcome.HOLD, Cause.RULE, True, "hold"),
        (Outcome.BLOCK, Cause.RULE, True, "block"),
        (Outcome.HOLD, Cause.FAILURE, True, "unreadable"),
        (Outcome.HOLD, Cause.DEFAULT, False, "unpaired"),
        (Outcome.BLOCK, Cause.DEFAULT, False, "unpaired"),
        (Outcome.HOLD, Cause.FAILURE, False, "unpaired"),
    ],
)
@pytest.mark.parametrize("language", LANGUAGES)
def test_what_stops_is_explained(
    outcome: Outcome, cause: Cause, paired: bool, key: str, language: str
) -> None:
    """Held, blocked, unreadable, not connected: four different sentences."""
    assert notice(MESSAGE, verdict(outcome, cause), paired, language) == say(key, language)


@pytest.mark.parametrize("paired", [True, False])
def test_the_authors_words_come_before_ours(paired: bool) -> None:
    """What the rule says to the sender replaces our sentence."""
    told = verdict(Outcome.BLOCK, tell={"zh": "不可以"})
    assert notice(MESSAGE, told, paired, "zh-Hant") == "不可以"


@pytest.mark.parametrize("outcome", list(Outcome))
def test_a_notice_teaches_no_evasion(outcome: Outcome) -> None:
    """Neither the message's words, nor the reason, nor a rule's name or finding are in it (invariant 6)."""
    found = Match("conduct", "no-codenames", "Project names", outcome, why="of a list", spans=((2, 10),))
    for language in LANGUAGES:
        text = notice(MESSAGE, verdict(outcome, matches=(found,)), True, language).lower()
        for secret in ("codename", "names a project", "no-codenames", "project names", "conduct", "list"):
            assert secret not in text


# --- what the reader gets --------------------------------------------------------------------------------


def test_plain_text_stays_as_it_is() -> None:
    """Without marks, the reader gets the allowed text, unchanged to the last blank."""
    content = compose(Kind.TEXT, " a\n\n b ", (), "en", "Alice Wong", "what she answers")
    assert content == Content(" a\n\n b ", "Alice Wong", (), "what she answers", False, "en")


def test_marks_stand_above_the_text() -> None:
    """What the text alone does not say comes first, in the reader's language, in the order given."""
    content = compose(Kind.TEXT, "你好", ("gap", "late", "edited"), "zh-HK", "李雷")
    assert content.text.splitlines() == [
        say("gap", "zh-Hant"),
        say("late", "zh-Hant"),
        say("edited", "zh-Hant"),
        "你好",
    ]
    assert content.language == "zh-HK"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_recall_shows_no_text(language: str) -> None:
    """A recall says that something was recalled; what the network put into it is not repeated."""
    content = compose(Kind.RECALL, "secret", (), language, "Alice Wong", "the quoted original")
    assert content.text == say("recalled", language)
    assert content.quote == "the quoted original"


def test_a_file_without_words_has_none() -> None:
    """An empty text adds no empty line."""
    assert compose(Kind.FILE, "", (), "en", "Alice Wong").text == ""
    assert compose(Kind.FILE, "", ("late",), "en", "Alice Wong").text == say("late", "en")


# --- staff, and texts below -----------------------------------------------------------------------------


@pytest.mark.parametrize("key", words._STAFF)
@pytest.mark.parametrize("language", LANGUAGES)
def test_staff_are_told_where_to_look(key: str, language: str) -> None:
    """The number, the rules or the queue, and the command: nothing that somebody wrote."""
    told = words.staff(key, language, 17, "desk/cards", "control-room")
    assert "17" in told and "weighbridge " in told and "{" not in told
    assert ("desk/cards" in told) is (key != "late")
    assert ("control-room" in told) is (key in ("hold", "late"))
    assert bool(HAN.search(told)) is (language != "en")


def test_the_firms_texts_stand_below_in_the_readers_language() -> None:
    """Below the text, each on a line of its own; English where the reader's language is missing."""
    below = (
        Annotation("a/1", {"en": "Not advice.", "zh": "不构成建议。"}),
        Annotation("a/2", {"en": "Recorded."}),
    )
    content = compose(Kind.TEXT, "你好", ("late",), "zh-HK", "Alice Wong", annotations=below)
    assert content.text.splitlines() == [say("late", "zh-HK"), "你好", "不构成建议。", "Recorded."]
    assert compose(Kind.FILE, "", (), "en", "Alice Wong", annotations=below[:1]).text == "Not advice."


# --- what a reader may see ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("a\tb\nc\r\nd", "a\tb\nc\r\nd"),
        ("a\x85b\u2028c\u2029d\x0be\x0cf", "a\nb\nc\nd\ne\nf"),
        ("a\x00b\x1b[31mc\x7fd\x9be", "a\ufffdb\ufffd[31mc\ufffdd\ufffde"),
        ("pay \u202e0001\u202c HKD", "pay 0001 HKD"),
        ("\u2066isolated\u2069 \u2067and\u2069 \u202aembedded\u202c", "isolated and embedded"),
        ("gua\u200bran\u2060tee\ufeff\xad", "guarantee"),
        ("hi\U000e0068\U000e0069\U000e007f", "hi"),
        ("\u3164\u115f", ""),
        ("\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",) * 2,
        ("\U0001f469\u200d\U0001f469\u200d\U0001f467 \u2764\ufe0f",) * 2,
        ("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645 \u200e5\u200f",) * 2,
    ],
)
def test_a_reader_sees_nothing_hidden_and_nothing_turned_round(written: str, shown: str) -> None:
    """Controls are seen as U+FFFD, what is unseen is left out; emoji and real writing stay as they are."""
    assert words.visible(written) == shown
    content = compose(Kind.TEXT, written, (), "en", f"Alice{written}", quote=written)
    assert (content.text, content.author, content.quote) == (shown, f"Alice{shown}", shown)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("明天见", "明天见"),
        ("one\n\ttwo\u202e", "one two"),
        ("长" * 60, "长" * 60),
        ("长" * 61, "长" * 59 + "…"),
        ("👨‍👩‍👧" * 70, "👨‍👩‍👧" * 59 + "…"),
    ],
)
def test_earlier_words_are_cut_to_what_weixin_shows(written: str, shown: str) -> None:
    """On one line, no grapheme broken; and nothing is left for the network's own limit to cut."""
    assert shortened(written) == shown
    assert wire.compose(Content("x", quote=shown)) == f"「{shown}」\nx"
