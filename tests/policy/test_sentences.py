"""Rules as sentences: every key of the language is said, in every language."""

from __future__ import annotations

import inspect
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.policy import language as lang
from bridge.policy import sentences
from bridge.policy.document import compose
from bridge.policy.sentences import CLAUSES, explain, named

EVERYTHING = """
policy: all
language: 1
title: Everything
owner: compliance@bank.example
timezone: Asia/Hong_Kong
applies_to: { groups: desk }
defaults: { mode: monitor, unmatched: hold, unpaired: block, on_error: block }
groups: { desk: { symphony: "*@bank.example", weixin: "tag:客户" }, other: { weixin: wm1 } }
lists:
  words: { words: [并购], unless_words: { 并购: 合并购买 }, evasion: [pinyin, split], owner: o@bank.example,
           languages: [en, zh-Hans], review_by: 2027-06-30 }
  file: { file: lists/a.csv, columns: name, stale_after: 24h, dates: { from: f, until: u } }
detectors:
  w: { type: words, list: words, context: { words: 账户, within: 30, messages: 2 },
       confidence: { alone: medium, with_context: high } }
  p: { type: pattern, pattern: '88\\d{8}', boundary: digits }
  card: { type: payment_card, brands: visa }
  pass: { type: passport, countries: HK }
  tel: { type: phone, regions: CN }
  coin: { type: crypto_wallet, coins: btc }
  id: { type: hkid }
barriers:
  - { id: wall, between: [desk, other], finds: w, then: hold, because: memo 1 }
  - { id: door, from: desk, to: other }
rules:
  - id: rule
    title: A rule
    because: memo 7
    severity: critical
    mode: enforce
    rollout: { percent: 12.5, by: conversation }
    review_by: 2027-01-31
    when:
      direction: to_weixin
      finds: [w, card]
      confidence: high
      sender: alice.wong@bank.example
      groups: desk
      kind: [text, file]
      recipient: wm1
      conversation: c1
      outside: { hours: "09:00-18:30", days: trading, calendar: XHKG }
      count: { at_least: 3, within: 90m }
      files: { types: pdf, larger_than: 20MB, name: "*.exe" }
      edited: true
      recalled: false
      any: [{ sender: bob.li@bank.example }, { kind: image }]
    unless: { edited: false, recalled: true, sender: research@bank.example }
    then:
      redact: { keep_last: 4, style: fixed }
      hold: { queue: control-room, conversation: wait, decide_within: 30m, if_late: escalate }
      block: true
      annotate: { en: Under this. }
      tag: pii
      notify: bob.li@bank.example
      sample: { percent: 5, queue: quality, reason: monthly }
      review: all
      tell_sender: { en: Stop., zh: 停。, zh-Hans: 停止。, zh-Hant: 停止。 }
      show_match: true
    tests:
      - { given: [a, b], from: symphony, sender: s, recipient: r, kind: text, consent: true,
          at: "2026-11-20 23:10", expect: block, becomes: x, would: hold, tags: pii, rule: rule, note: n }
      - { given: c, consent: false, expect: deliver }
  - id: quiet
    title: Nothing happens
    severity: low
    rollout: { groups: desk }
    when: { direction: both }
    then: { deliver: true }
attachments: { allow: pdf, not_allowed: hold, max_size: 20MB, too_large: hold, wrong_type: hold,
               encrypted: hold, macros: hold, read_text: false, unreadable: block, virus_scan: clamav,
               infected: hold }
kinds: { voice: hold }
consent: { from: desk, text: { en: May we }, agree: 同意, until_given: block, renew_every: 1y }
disclaimers: [{ id: notice, direction: to_weixin, every: week, for: desk, text: { en: Notice. } }]
retention:
  - { id: seven, keep: 7y, start: end-of-relationship, for: desk, direction: to_weixin, kind: text,
      worm: true, first: 2y }
  - { preset: hk-sfo-books }
archive: [{ id: vault, to: s3://vault, format: eml, object_lock: compliance, region: HK,
            approval: CSRC-1, for: desk }]
legal_holds: [{ id: case, people: alice.wong@bank.example, since: 2026-01-31,
                approved_by: bob.li@bank.example, because: order 7 }]
exceptions: [{ id: alice, rule: rule, for: alice.wong@bank.example, only: 并购, expires: 2027-01-31,
               approved_by: bob.li@bank.example, because: memo 8 }]
"""
OTHERWISE = """
policy: otherwise
language: 1
title: The other positions of switches
owner: o
rules:
  - id: r
    title: t
    severity: low
    when: { direction: both }
    then: { tag: t, tell_sender: { en: Stop. }, show_match: false }
attachments: { read_text: true }
retention: [{ keep: 1y, worm: false }]
"""
IN_HEADINGS = {"id", "policy", "title"}


def model(text: str) -> lang.PolicyFile:
    """The model of a file that is right."""
    root = compose("policy.yaml", text).root
    assert root is not None
    return lang.PolicyFile.model_validate(root.plain())


@pytest.fixture(scope="module")
def everything() -> lang.PolicyFile:
    """A file in which every key of the language is written."""
    return model(EVERYTHING)


def keys() -> Iterator[str]:
    """Every key of every model, as the tables name them; switches with both of their positions."""
    for _, section in inspect.getmembers(lang, inspect.isclass):
        if not issubclass(section, lang.Section):
            continue
        for name, info in section.model_fields.items():
            owner = sentences._owner(section, name)
            key = f"{owner}.{info.alias or name}"
            if name in IN_HEADINGS:
                continue
            if info.annotation is bool or "bool" in str(info.annotation):
                yield from (f"{key}.yes", f"{key}.no")
            else:
                yield f"{key}.yes" if "Literal[True]" in str(info.annotation) else key


KEYS = sorted(set(keys()))


def said(file: lang.PolicyFile, language: str) -> str:
    """Everything that can be said about a file."""
    return "\n".join(line for name in named(file) for line in explain(file, name, language))


@pytest.mark.parametrize("language", CLAUSES)
def test_every_key_changes_the_sentence(
    language: str, everything: lang.PolicyFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever key of the models is written, its clause is in what is printed: none is left out."""
    marked = {key: f"«{key}»" if key in KEYS else text for key, text in CLAUSES[language].items()}
    for key in KEYS:  # a marked clause hides what it contains: values stay
        marked[key] += "{value}" if "{value}" in CLAUSES[language].get(key, "") else ""
    monkeypatch.setattr(sentences, "CLAUSES", {language: marked})
    output = said(everything, language) + said(model(OTHERWISE), language)
    assert [key for key in KEYS if f"«{key}»".lower() not in output.lower()] == []


def test_the_tables_have_the_same_clauses() -> None:
    """Every language says the same things, with the same values."""

    def values(text: str) -> set[str]:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}

    for language in CLAUSES:
        assert set(CLAUSES[language]) == set(CLAUSES["en"])
        assert [k for k, t in CLAUSES[language].items() if values(t) != values(CLAUSES["en"][k])] == []


@pytest.mark.parametrize("language", ["zh-Hans", "zh-Hant"])
def test_no_word_of_the_language_stays_untranslated(language: str) -> None:
    """What a reader of Chinese gets has no English word but names and what was written."""
    same = {key for key, text in CLAUSES[language].items() if text == CLAUSES["en"][key]}
    bare = {key for key in same if CLAUSES["en"][key].strip("{value}")}
    assert bare == {"=symphony", "=clamav"}


def test_a_rule_is_a_plain_sentence(everything: lang.PolicyFile) -> None:
    """When, but not when, then, and why; with what it looks for and who is excepted."""
    lines = explain(everything, "rule", "en")
    assert lines[0] == "Rule `rule`: A rule"
    assert lines[1].startswith("  Applies when the message goes to Weixin, and w or card is found, and ")
    assert "it is written outside of 09:00-18:30, trading days, exchange XHKG" in lines[1]
    assert "at least 3 times, by messages of the sender within 90 minutes" in lines[1]
    assert lines[2].startswith("  But not when the sender is research@bank.example, and it replaces no ")
    assert (
        "held for a reviewer (queue control-room, later messages wait behind it, somebody must decide"
        in lines[3]
    )
    assert "  Exception `alice`" in lines and "  Detector `card`" in lines
    assert "    Brands: visa." in lines


@pytest.mark.parametrize(
    ("language", "lines"),
    [
        ("en", ["  Nothing may pass between desk and other.", "  Nothing may pass from desk to other."]),
        ("zh-Hans", ["  desk、other 之间不得往来。", "  从 desk 发往 other 的消息一律不得通过。"]),
        ("zh-Hant", ["  desk、other 之間不得往來。", "  從 desk 發往 other 的訊息一律不得通過。"]),
    ],
)
def test_a_barrier_is_one_sentence(language: str, lines: list[str], everything: lang.PolicyFile) -> None:
    """Names of groups stay as they are written, and `from` and `to` say one thing together."""
    assert [explain(everything, name, language)[1] for name in ("wall", "door")] == lines


def test_the_messages_of_a_test_are_told_apart(everything: lang.PolicyFile) -> None:
    """Each in its own quotes, in the order in which they are written."""
    assert "given “a”, then “b”" in "\n".join(explain(everything, "rule"))
    assert "给出“a”，然后“b”" in "\n".join(explain(everything, "rule", "zh-Hans"))


def test_a_detector_with_the_name_of_its_rule_is_said_once(everything: lang.PolicyFile) -> None:
    """The rule brings it along; asked for alone it is still there."""
    rule = everything.rules[0].model_copy(update={"id": "card"})
    lines = explain(everything.model_copy(update={"rules": (rule,)}), "card")
    assert [line.strip() for line in lines].count("Detector `card`") == 1
    assert explain(everything, "card")[0] == "Detector `card`"


@pytest.mark.parametrize(
    ("language", "line"),
    [
        ("en", "  Messages are held while the file is older than 1 day."),
        ("zh-Hans", "  文件超过 1 天未更新时暂缓消息。"),
        ("zh-Hant", "  檔案超過 1 日未更新時暫緩訊息。"),
    ],
)
def test_lists_are_explained_too(language: str, line: str, everything: lang.PolicyFile) -> None:
    """Not only rules have names."""
    assert line in explain(everything, "file", language)


def test_sections_are_explained_by_their_keys(everything: lang.PolicyFile) -> None:
    """A section without ids is asked for by its key; one with entries says them all."""
    assert "  Viruses are looked for by ClamAV." in explain(everything, "attachments")
    assert "  A voice message: held for review." in explain(everything, "kinds")
    text = "\n".join(explain(everything, "retention", "zh-Hant"))
    assert "保存期 `seven`" in text and "記錄保存 7 年" in text and "保存期 `retention-2`" in text


def test_what_is_not_there_is_not_explained(everything: lang.PolicyFile) -> None:
    """An unknown name has no sentences, and a section that was not written neither."""
    assert explain(everything, "nobody") == []
    bare = model("policy: p\nlanguage: 1\ntitle: t\nowner: o\n")
    assert named(bare) == ["p"] and explain(bare, "consent") == []


def test_the_shipped_rules_are_explained() -> None:
    """Each name in the shipped files has its sentences, in every language."""
    for path in (Path(__file__).parents[2] / "policies").glob("*.yaml"):
        file = model(path.read_text(encoding="utf-8"))
        assert all(explain(file, name, language) for name in named(file) for language in CLAUSES)
