"""What the models refuse is said once, in words, at the place that a reader would point at.

The sentences themselves are in `mistakes.txt`.
"""

from __future__ import annotations

import pytest
from proportion import in_proportion

from bridge.policy.decoding import decode, guess
from bridge.policy.document import compose
from bridge.policy.language import PolicyFile

GOOD = "policy: p\nlanguage: 1\ntitle: t\nowner: o\n"


def said(text: str) -> list[tuple[str, tuple[int, ...]]]:
    """Key, line and column of everything that is wrong with a file."""
    document = compose("p.yaml", text)
    assert document.root is not None
    _, problems = decode(document.page, document.root)
    return [(problem.key, problem.place[:2]) for problem in problems]


def test_a_good_file_becomes_its_model() -> None:
    """Nothing to say, and the model."""
    document = compose("p.yaml", GOOD)
    assert document.root is not None
    model, problems = decode(document.page, document.root)
    assert isinstance(model, PolicyFile) and problems == []


@pytest.mark.parametrize(
    ("more", "key", "place"),
    [
        ("defaults: { unpaird: hold }", "P010.near", (5, 13)),
        ("defaults: { quarks: x }", "P010", (5, 13)),
        ("groups: { a b: {} }", "P013.name", (5, 11)),
        ("detectors: { x: { type: words } }", "P012", (5, 19)),
        ("detectors: { x: { list: w } }", "P012", (5, 19)),
        ("detectors: { x: { type: words, words: w, list: w } }", "P010", (5, 32)),
        ("detectors: { x: { type: [words] } }", "P013.text", (5, 25)),
        ("detectors: { x: { type: words, list: w, context: {} } }", "P012", (5, 50)),
        ("detectors: { x: { type: words, list: [] } }", "P013.empty", (5, 38)),
        ("kinds: { red_packet: block }", "P011.near", (5, 10)),
        ("kinds: { voice: later }", "P011", (5, 17)),
        ("barriers: [{ id: w, between: [a, b, c] }]", "P013.two", (5, 30)),
        ("barriers: [{ id: w, from: a }]", "P014.barrier", (5, 14)),
        ("retention: [{ preset: x, start: creation }]", "P014.preset", (5, 26)),
        ("legal_holds: [{ id: c, people: x, since: 1.1.2026, approved_by: y }]", "P013.date", (5, 42)),
        ("archive: [{ id: a }]", "P012", (5, 13)),
        ("detectors: { x: { type: payment_card, brands: [visa, mastercrad] } }", "P011.near", (5, 54)),
        ("detectors: { x: { type: pattern, pattern: %s } }" % ("x" * 1001), "P013.long", (5, 43)),
        ("rules: x", "P013.list", (5, 8)),
        ("rules: [x]", "P013.entry", (5, 9)),
        ("lists: { w: { words: [[a]] } }", "P013.text", (5, 23)),
        ("lists: { w: { words: '' } }", "P013.none", (5, 22)),
    ],
)
def test_a_mistake_is_said_once_at_its_place(more: str, key: str, place: tuple[int, int]) -> None:
    """Whatever the section, one mistake gives one diagnostic."""
    assert said(GOOD + more) == [(key, place)]


@pytest.mark.parametrize(
    ("days", "key", "guess"),
    [("monday", "P011.near", "mon"), ("[mon, tuesday]", "P011.near", "tue"), ("{ mon: x }", "P013.text", "")],
)
def test_two_ways_to_write_days_are_one_mistake(days: str, key: str, guess: str) -> None:
    """A word for days or a list of weekdays: what fits neither is said once, with words of both ways."""
    when = f"{{ direction: both, outside: {{ days: {days} }} }}"
    rule = f"rules: [{{ id: r, title: t, severity: low, when: {when}, then: {{ block: true }} }}]"
    document = compose("p.yaml", GOOD + rule)
    assert document.root is not None
    (problem,) = decode(document.page, document.root)[1]
    assert (problem.key, problem.values.get("guess", "")) == (key, guess)


def test_a_missing_key_is_the_misspelt_one() -> None:
    """Two misspelt keys are two mistakes, not four."""
    text = GOOD.replace("title:", "titel:").replace("owner:", "ownr:")
    assert said(text) == [("P010.twin", (3, 1)), ("P010.twin", (4, 1))]


def test_thousands_of_unknown_keys_cost_a_moment() -> None:
    """What a section could hold is worked out once, not for each wrong key: a large file is no long wait."""
    documents = {
        number: compose("p.yaml", GOOD + "".join(f"k{one}: 1\n" for one in range(number)))
        for number in (2000, 8000)
    }

    def read(number: int) -> None:
        document = documents[number]
        assert document.root is not None
        assert len(decode(document.page, document.root)[1]) == number

    in_proportion(read, 8000)


@pytest.mark.parametrize(
    ("word", "choices", "meant"),
    [
        ("expct", ["expect", "given"], "expect"),
        ("to_wechat", ["to_weixin", "both"], "to_weixin"),
        ("keep-last", ["keep_last", "style"], "keep_last"),
        ("hk", ["CN", "HK", "TW"], "HK"),
        ("xhgk", ["XHKG", "XNYS"], "XHKG"),
        ("pictures", ["text", "image"], "image"),
        ("us_sec-17A4", ["us-sec-17a4"], "us-sec-17a4"),
        ("mask", ["redact", "hold"], "redact"),
        ("colour", ["mode", "unless"], ""),
        ("red_packet", ["app", "card"], "app"),
        ("card", ["payment_card", "iban"], "payment_card"),
        ("card", ["card", "app"], "card"),
        ("keep", ["deliver", "hold"], "deliver"),
        ("keep", ["keep", "preset"], "keep"),
        ("zh-CN", ["en", "zh-Hans", "zh-Hant"], "zh-Hans"),
        ("x", [], ""),
    ],
)
def test_suggestions_are_near_or_silent(word: str, choices: list[str], meant: str) -> None:
    """A suggestion is a near word or a known other name, never a guess at random."""
    assert guess(word, choices) == meant
