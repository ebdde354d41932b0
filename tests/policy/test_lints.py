"""Warnings: what is valid and suspicious is said, what is only unusual is not.

The sentences themselves are in `mistakes.txt`.
"""

from __future__ import annotations

import datetime

import pytest
from policy_rig import HEAD, one_rule, words_rule

from bridge.policy import Source, assemble
from bridge.policy import language as lang
from bridge.policy.lints import covers

NOON = datetime.datetime(2026, 11, 22, 12, 0, tzinfo=datetime.UTC)
OTHER_MATTERS = {"P030", "P033", "P034"}  # of the loader, of `because`, of single words


def said(text: str, now: datetime.datetime | None = None, age: datetime.timedelta | None = None) -> list[str]:
    """The keys of the warnings about a policy, without those that every small example gets."""
    files = {"w.csv": b"name\nword\n"}
    changed = {} if age is None else {"w.csv": NOON - age}
    _, problems = assemble([Source("p.yaml", text.encode(), files, changed)], now)
    return [problem.key for problem in problems if problem.code not in OTHER_MATTERS]


def two(first: str, second: str, *, more: str = "", top: str = "") -> str:
    """A policy with two rules, `one` and `two`, of the same severity."""
    rules = "".join(
        f"  - {{ id: {name}, title: t, because: b, severity: high, {keys} }}\n"
        for name, keys in (("one", first), ("two", second))
    )
    return (
        f"policy: p\n{HEAD}{top}"
        "detectors: { card: { type: payment_card }, iban: { type: iban } }\n"
        "groups: { desk: { symphony: a@bank.example }, floor: { symphony: b@bank.example } }\n"
        f"rules:\n{rules}{more}"
    )


def shadows(first: str, second: str, **more: str) -> list[str]:
    """The rules of two that change nothing."""
    _, problems = assemble([Source("p.yaml", two(first, second, **more).encode())])
    assert not [problem for problem in problems if problem.severity == "error"], problems
    return [problem.values["rule"] for problem in problems if problem.key == "P032"]


CARD = "when: { direction: both, finds: card }"
BLOCK = "then: { block: true }"


@pytest.mark.parametrize(
    ("first", "covered"),
    [
        (f"{CARD}, then: {{ hold: true }}", True),
        (f"{CARD}, then: {{ redact: true }}", True),
        (f"{CARD}, then: {{ deliver: true }}", True),
        (f"when: {{ direction: to_weixin, finds: card, confidence: high }}, {BLOCK}", True),
        (f"when: {{ direction: both, finds: card, sender: a@bank.example, kind: text }}, {BLOCK}", True),
        (f"{CARD}, unless: {{ kind: file }}, {BLOCK}", True),
        (f"{CARD}, rollout: {{ percent: 10 }}, {BLOCK}", True),
        (f"{CARD}, then: {{ hold: true, tag: pii }}", False),
        (f"{CARD}, then: {{ hold: true, notify: c@bank.example }}", False),
        (f"{CARD}, then: {{ block: true, tell_sender: {{ en: x, zh: x }} }}", False),
        (f"{CARD}, then: {{ review: all }}", False),
        (f"{CARD}, mode: monitor, {BLOCK}", False),
        (f"when: {{ direction: both, finds: [card, iban] }}, {BLOCK}", False),
        (f"when: {{ direction: both, finds: card, confidence: low }}, {BLOCK}", False),
        (f"when: {{ direction: both, kind: file }}, {BLOCK}", False),
    ],
)
def test_a_rule_under_a_block_changes_nothing(first: str, covered: bool) -> None:
    """Where another rule blocks all that it matches, and it adds no effect that outlives a block."""
    assert ("one" in shadows(first, f"{CARD}, {BLOCK}")) is covered


@pytest.mark.parametrize(
    "second",
    [
        f"{CARD}, unless: {{ kind: file }}, {BLOCK}",
        f"{CARD}, rollout: {{ percent: 50 }}, {BLOCK}",
        f"{CARD}, mode: monitor, {BLOCK}",
        f"{CARD}, mode: off, {BLOCK}",
        f"when: {{ direction: to_weixin, finds: card }}, {BLOCK}",
        "when: { direction: both, finds: card, groups: desk }, then: { block: true }",
        f"when: {{ direction: both, finds: card, count: {{ at_least: 2 }} }}, {BLOCK}",
        f"{CARD}, then: {{ hold: true }}",
    ],
)
def test_a_rule_that_may_not_act_covers_nothing(second: str) -> None:
    """A condition, a rollout, a mode or a weaker outcome leaves something for the other to do."""
    first = f"{CARD}, then: {{ redact: true }}"
    assert shadows(first, second) == []


def test_of_two_equal_rules_the_later_one_is_named() -> None:
    """Only one of them is too much."""
    assert shadows(f"{CARD}, {BLOCK}", f"{CARD}, {BLOCK}") == ["two"]


def test_an_exception_makes_a_rule_cover_less() -> None:
    """Where the covering rule is lifted for somebody, the other one still acts."""
    lifted = "exceptions: [{ id: e, rule: two, for: x, expires: 2030-01-01, approved_by: y, because: z }]\n"
    assert shadows(f"{CARD}, then: {{ hold: true }}", f"{CARD}, {BLOCK}", more=lifted) == []


def test_covering_is_by_what_is_written() -> None:
    """The same keys with more values cover; a key that the narrow one lacks does not."""

    def when(**keys: object) -> lang.When:
        return lang.When.model_validate({"direction": "both", **keys})

    assert covers(when(groups=["x", "y"]), when(groups="x", kind="file"))
    assert not covers(when(groups="x"), when(groups=["x", "y"]))
    assert not covers(when(kind="file"), when())
    assert covers(when(), when(outside={"days": "mon"}))
    assert not covers(when(outside={"days": "mon"}), when(outside={"days": "tue"}))
    assert covers(when(any=[{"kind": "file"}]), when(any=[{"kind": "file"}], kind="text"))
    assert not covers(when(any=[{"kind": "file"}]), when(kind="file"))


@pytest.mark.parametrize(
    ("when", "more", "expected"),
    [
        ("direction: both, finds: card", "unless: { finds: card }", ["P045.unless"]),
        ("direction: to_weixin, finds: card", "unless: { direction: both }", ["P045.unless"]),
        ("direction: both, finds: card, confidence: low", "unless: { finds: card }", []),
        ("direction: both, finds: card", "unless: { finds: card, kind: file }", []),
        ("direction: to_weixin, finds: card", "unless: { direction: to_symphony }", ["P038.unless"]),
        ("direction: both, finds: card", "unless: { direction: to_symphony }", []),
        ("direction: both, edited: true, recalled: true", "", ["P045.excluded"]),
        ("direction: both, kind: [text, file], recalled: true", "", ["P045.excluded"]),
        ("direction: both, kind: recall, edited: true", "", ["P045.excluded"]),
        ("direction: both, kind: recall, recalled: false", "", ["P045.excluded"]),
        ("direction: both, kind: [recall, text], recalled: true", "", []),
        ("direction: both, edited: false, recalled: false", "", []),
        ("direction: both, kind: file, confidence: high", "", ["P038.confidence"]),
        ("direction: both, finds: card", "mode: monitor, rollout: { percent: 5 }", ["P038.rollout"]),
        ("direction: both, kind: file, count: { at_least: 3, within: 1h }", "", ["P038.count"]),
        ("direction: both, finds: card, kind: text, count: { at_least: 3 }", "", []),
        ("direction: both, finds: card, sender: a@b, count: { at_least: 3, within: 1h }", "", []),
        (
            "direction: both, any: [{ finds: card }, { outside: { hours: '09:00-18:00' } }],"
            " count: { at_least: 3, within: 1h }",
            "",
            ["P038.count"],
        ),
        ("direction: both, finds: card", "rollout: { percent: 5 }", []),
    ],
)
def test_what_never_matches_or_never_applies_is_said(when: str, more: str, expected: list[str]) -> None:
    """Only what no message at all could satisfy."""
    keys = f"when: {{ {when} }}, then: {{ block: true }}" + (f", {more}" if more else "")
    finds = {"P031.detector", "P031.group"}
    assert [key for key in said(two(keys, f"{CARD}, {BLOCK}, mode: off")) if key not in finds] == expected


@pytest.mark.parametrize(
    ("sure", "floor", "warned"),
    [
        ("{ alone: low, with_context: medium }", "high", True),
        ("{ alone: low, with_context: medium }", "medium", False),
        ("{ alone: high, with_context: low }", "high", False),
    ],
)
def test_a_confidence_out_of_reach_is_said(sure: str, floor: str, warned: bool) -> None:
    """A rule that waits for a surer finding than its detector ever makes never matches."""
    detector = f"x: {{ type: pattern, pattern: 'x[0-9]', confidence: {sure} }}"
    keys = said(one_rule(detector, f"{{ direction: both, finds: x, confidence: {floor} }}"))
    assert (keys == ["P045.confidence"]) is warned


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("私人微信, 加我私人微信", ["P043"]),
        ("call me, recall me", []),
        ("call me, please call me", ["P043"]),
        ("内幕消息, 內幕消息", ["P043.same"]),
        ("Word, WORD", ["P043.same"]),
        ("0700, 股0700", []),
        ("内幕, 消息", []),
    ],
)
def test_a_word_that_another_finds_is_said(words: str, expected: list[str]) -> None:
    """Folded as they are looked for; Latin words count only where they stand alone."""
    assert said(words_rule(words)) == expected


def test_a_word_with_innocent_uses_makes_no_other_one_redundant() -> None:
    """The longer word is there because the shorter one may be innocent in it."""
    text = words_rule("并购, 合并购买").replace("] }", "], unless_words: { 并购: 合并购买 } }", 1)
    assert said(text) == []


@pytest.mark.parametrize(
    ("direction", "text", "missing"),
    [
        ("both", "{ en: x }", ["zh"]),
        ("both", "{ zh: x }", ["en"]),
        ("both", "{ en: x, zh-Hans: x }", ["zh"]),
        ("both", "{ en: x, zh-Hans: x, zh-Hant: x }", []),
        ("to_weixin", "{ en: x }", []),
        ("to_symphony", "{ zh: x }", []),
        ("to_symphony", "{ en: x }", ["zh"]),
    ],
)
def test_people_are_told_in_their_language(direction: str, text: str, missing: list[str]) -> None:
    """Those who write to Weixin are staff, those who write to Symphony are clients."""
    then = f"{{ block: true, tell_sender: {text} }}"
    policy = one_rule(when=f"{{ direction: {direction}, finds: card }}", then=then)
    _, problems = assemble([Source("p.yaml", policy.encode())])
    assert [problem.values["tag"] for problem in problems if problem.key == "P044"] == missing


def test_what_stands_below_a_message_is_for_its_reader() -> None:
    """An annotation is read on the other side than what the sender is told."""
    policy = one_rule(
        when="{ direction: to_weixin, finds: card }", then="{ annotate: { en: x }, tell_sender: { zh: x } }"
    )
    _, problems = assemble([Source("p.yaml", policy.encode())])
    found = [(p.values["key"], p.values["tag"]) for p in problems if p.key == "P044"]
    assert found == [("tell_sender", "en"), ("annotate", "zh")]


@pytest.mark.parametrize(
    ("then", "mode", "warned"),
    [
        ("{ hold: true }", "enforce", True),
        ("{ hold: { decide_within: 15m } }", "enforce", True),
        ("{ hold: { decide_within: 15m, if_late: block } }", "enforce", False),
        ("{ hold: true }", "monitor", False),
    ],
)
def test_an_enforced_hold_says_until_when(then: str, mode: str, warned: bool) -> None:
    """A message must not wait for ever because nobody thought of it."""
    assert (said(one_rule(then=then, more=f"    mode: {mode}\n")) == ["P035"]) is warned


# --- with time ------------------------------------------------------------------------------------------

EXCEPTION = "exceptions: [{{ id: e, rule: rule, for: x, expires: {}, approved_by: y, because: z }}]\n"


@pytest.mark.parametrize(
    ("expires", "expected"),
    [
        ("2026-11-21", ["P026"]),
        ("2026-11-22", ["P037"]),
        ("2026-12-06", ["P037"]),
        ("2026-12-07", []),
    ],
)
def test_exceptions_end(expires: str, expected: list[str]) -> None:
    """The last day still counts; two weeks before it is time to think."""
    policy = one_rule() + EXCEPTION.format(expires)
    assert said(policy, NOON) == expected
    assert said(policy) == []


def test_days_begin_where_the_policy_is() -> None:
    """At 22:00 UTC it is tomorrow in Hong Kong."""
    policy = one_rule() + EXCEPTION.format("2026-11-22")
    late = NOON.replace(hour=22)
    assert said(policy, late) == ["P037"]
    assert said("timezone: Asia/Hong_Kong\n" + policy, late) == ["P026"]


def test_an_exception_that_has_ended_stops_nobody_but_the_asker() -> None:
    """It is an error for who checks; the policy loads all the same, since the exception lifts nothing."""
    source = Source("p.yaml", (one_rule() + EXCEPTION.format("2026-11-21")).encode())
    assert assemble([source])[0] is not None
    assert assemble([source], NOON)[0] is not None


def test_reviews_fall_due() -> None:
    """On the day itself there is still time."""
    dated = "review_by: {0}"
    for day, expected in (("2026-11-21", ["P036.rule", "P036.list"]), ("2026-11-22", [])):
        review = dated.format(day)
        policy = words_rule("word").replace("] }", f"], {review} }}", 1)
        assert said(policy.replace("    when", f"    {review}\n    when"), NOON) == expected


@pytest.mark.parametrize(("hours", "expected"), [(23, []), (25, ["P039"])])
def test_lists_grow_old(hours: int, expected: list[str]) -> None:
    """Whoever checks is told before the daemon holds everything."""
    policy = words_rule("word").replace("words: [word]", "file: w.csv, columns: name, stale_after: 24h")
    assert said(policy, NOON, datetime.timedelta(hours=hours)) == expected
    assert said(policy, None, datetime.timedelta(hours=hours)) == []


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        ("{ symphony: [alice.wong@bank.example, '*@bank.example', '7001', '*'] }", []),
        ("{ symphony: alice }", ["P038.symphony"]),
        ("{ symphony: ['tag:x', a@b] }", ["P038.symphony"]),
        ("{ weixin: ['tag:客户', wm-lilei, 'wm*'] }", []),
        ("{ weixin: '*@x' }", ["P038.weixin"]),
        ("{ weixin: ['tag:', 'TAG: '] }", ["P038.weixin", "P038.weixin"]),
    ],
)
def test_members_that_can_be_nobody_are_said(group: str, expected: list[str]) -> None:
    """People of Symphony have addresses and numbers, those of Weixin tags and ids."""
    assert said(one_rule(top=f"groups: {{ g: {group} }}\n", when="{ direction: both, groups: g }")) == [
        "P031.detector",
        *expected,
    ]


@pytest.mark.parametrize(
    ("barrier", "expected"),
    [
        ("between: [desk, clients]", []),
        ("between: [desk, floor]", ["P045.barrier"]),
        ("between: [desk, desk]", ["P045.barrier"]),
        ("between: [both, both]", []),
        ("from: [desk], to: [floor]", ["P045.barrier"]),
        ("from: [desk], to: [floor, clients]", []),
        ("from: [clients], to: [both]", []),
    ],
)
def test_a_barrier_stands_between_two_networks(barrier: str, expected: list[str]) -> None:
    """Every conversation has a person of Symphony and one of Weixin: inside one network is nobody."""
    groups = (
        "groups:\n  desk: { symphony: a@b.example }\n  floor: { symphony: c@b.example }\n"
        "  clients: { weixin: 'tag:x' }\n  both: { symphony: d@b.example, weixin: 'tag:y' }\n"
    )
    text = one_rule(top=groups + f"barriers: [{{ id: wall, {barrier} }}]\n")
    assert [key for key in said(text) if key != "P031.group"] == expected


@pytest.mark.parametrize(
    ("exchange", "year", "expected"),
    [("XSHG", 2026, []), ("XSHE", 2099, ["P039.calendar"]), ("XHKG", 2099, [])],
)
def test_a_calendar_that_ends_is_said(exchange: str, year: int, expected: list[str]) -> None:
    """The mainland publishes its holidays year by year; what is not published yet counts as open."""
    hours = f"outside: {{ hours: '09:00-18:00', days: trading, calendar: {exchange} }}"
    text = one_rule(when=f"{{ direction: both, finds: card, {hours} }}")
    assert said(text, datetime.datetime(year, 6, 1, tzinfo=datetime.UTC)) == expected


def test_files_that_decide_together_need_one_class_for_everybody() -> None:
    """A desk's file adds to the firm's: alone nothing is said; beside one that is for some as well, it is."""

    def classes(name: str, entries: str) -> Source:
        top = f"groups: {{ desk: {{ symphony: a@bank.example }} }}\nretention: [{entries}]\n"
        return Source(f"{name}.yaml", one_rule(name=name, top=top).encode())

    def warned(*sources: Source) -> list[str]:
        return [one.file for one in assemble(sources)[1] if one.code == "P049"]

    desk = classes("desk", "{ id: desk, keep: 7y, for: desk }")
    texts = classes("texts", "{ id: texts, keep: 5y, kind: text }")
    assert warned(desk) == []
    assert warned(desk, texts) == ["desk.yaml"]
    assert warned(texts) == ["texts.yaml"]
    assert warned(desk, classes("firm", "{ id: house, keep: 7y }")) == []
