"""The verdict: strictest wins, order does not matter, failures hold, and secrets do not get out."""

from __future__ import annotations

import dataclasses
import itertools
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from policy_rig import ALICE, HEAD, message, one_rule, policy_set, weigh, words_rule
from samples import KINDS

from bridge.message import SYMPHONY, WEIXIN, Cause, File, Kind, Outcome, Verdict
from bridge.policy import as_record, from_record
from bridge.policy.detectors import ShapeFinder, WordsFinder
from bridge.policy.folding import fold

CARD = "4111 1111 1111 1111"
MASK = "{ redact: { keep_last: 4 } }"
ANY = st.text(st.characters(exclude_categories=()))


def many_rules(*rules: str) -> str:
    """A policy with detectors `card` and `w`, and `rules` as given: id, when, then, separated by |."""
    text = (
        f"policy: many\n{HEAD}lists: {{ ws: {{ words: [秘密, secret] }} }}\n"
        "detectors:\n  card: { type: payment_card }\n  w: { type: words, list: ws }\nrules:\n"
    )
    for rule in rules:
        name, when, then, *more = (part.strip() for part in rule.split("|"))
        head = f"id: {name}, title: {name}, because: b, severity: low"
        text += f"  - {{ {head}, when: {{ {when} }}, then: {{ {then} }}"
        text += "".join(f", {part}" for part in more) + " }\n"
    return text


# --- outcomes -------------------------------------------------------------------------------------------


def test_what_no_rule_minds_is_delivered_unchanged() -> None:
    """No match: delivered by default, as written, with the hashes of what decided."""
    policies = policy_set(one_rule())
    verdict = weigh(policies, "你好 4111")
    assert dataclasses.replace(verdict, directory="", engine="") == Verdict(
        Outcome.DELIVER, Cause.DEFAULT, "你好 4111", policies=policies.hashes
    )
    assert verdict.engine == policies.engine_version and len(verdict.directory) == 16


def test_a_masked_message_says_what_was_masked_where() -> None:
    """Text, match, places, tags and what the sender is told."""
    rule = one_rule(
        then="{ redact: { keep_last: 4 }, tag: [pii], tell_sender: { en: Masked., zh: 已隐藏。 } }"
    )
    verdict = weigh(policy_set(rule), f"卡{CARD}。")
    assert (verdict.outcome, verdict.cause) == (Outcome.REDACT, Cause.RULE)
    assert verdict.text == "卡**** **** **** 1111。"
    assert verdict.matches[0].spans == ((1, 20),) and verdict.matches[0].detectors == ("card",)
    assert verdict.tags == ("pii",) and verdict.tell == {"en": "Masked.", "zh": "已隐藏。"}


def test_the_strictest_outcome_wins_and_all_matches_are_kept() -> None:
    """block > hold > redact > deliver; every rule that matched is in the verdict."""
    for words in itertools.combinations(["deliver", "redact", "hold", "block"], 2):
        rules = [f"{word} | direction: both, finds: w | {word}: true" for word in words]
        verdict = weigh(policy_set(many_rules(*rules)), "a secret")
        assert verdict.outcome == words[1]
        assert {match.rule for match in verdict.matches} == set(words)
        assert verdict.reason == f"rule many/{words[1]}"


def test_a_held_message_carries_its_masked_text() -> None:
    """A release delivers the masked text: the masks of every rule apply whatever the outcome is."""
    rules = (
        "mask | direction: both, finds: card | redact: true",
        "hold | direction: both, finds: w | hold: true",
    )
    verdict = weigh(policy_set(many_rules(*rules)), f"secret {CARD}")
    assert verdict.outcome is Outcome.HOLD and verdict.text == "secret **** **** **** ****"


def test_a_monitored_rule_changes_nothing() -> None:
    """It is written down with what it would have done, and neither masks, tags nor tells."""
    then = "{ block: true, redact: true, tag: t, tell_sender: { en: x } }"
    verdict = weigh(policy_set(one_rule(then=then, more="    mode: monitor\n")), CARD)
    assert (verdict.outcome, verdict.text, verdict.tags, verdict.tell) == (Outcome.DELIVER, CARD, (), {})
    (match,) = verdict.matches
    assert match.outcome is Outcome.BLOCK and not match.enforced and match.spans == ((0, 19),)


def test_the_conversation_waits_only_when_held_by_a_rule_that_says_so() -> None:
    """`wait` of any holding rule wins; a blocked message keeps nobody waiting."""
    waiting = "a | direction: both, finds: w | hold: { conversation: wait }"
    passing = "b | direction: both, finds: w | hold: true"
    stopping = "c | direction: both, finds: card | block: true"
    policies = policy_set(many_rules(waiting, passing, stopping))
    assert weigh(policies, "secret").waits
    assert not weigh(policies, f"secret {CARD}").waits
    assert not weigh(policy_set(many_rules(passing)), "secret").waits


def test_another_direction_is_a_mistake_of_the_caller() -> None:
    """A direction that no rule knows must not let everything through."""
    with pytest.raises(ValueError, match="direction"):
        weigh(policy_set(one_rule()), CARD, direction="both")


# --- conditions -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("when", "to", "acts"),
    [
        ("direction: both", WEIXIN, True),
        ("direction: both", SYMPHONY, True),
        ("direction: to_weixin", SYMPHONY, False),
        ("direction: to_symphony", SYMPHONY, True),
        ("direction: both, sender: alice.wong@bank.example", WEIXIN, True),
        ("direction: both, sender: alice.wong@bank.example", SYMPHONY, False),
        ("direction: both, sender: ['tag:客户', '*@other.example']", SYMPHONY, True),
        ("direction: both, kind: [voice, text]", WEIXIN, True),
        ("direction: both, kind: voice", WEIXIN, False),
        ("direction: both, finds: [w, card]", WEIXIN, True),
        ("direction: both, finds: card", WEIXIN, False),
    ],
)
def test_every_key_of_when_must_hold(when: str, to: str, acts: bool) -> None:
    """Keys are AND, the values of one key are OR."""
    verdict = weigh(policy_set(many_rules(f"r | {when} | block: true")), "a secret", to=to)
    assert (verdict.outcome is Outcome.BLOCK) is acts


@pytest.mark.parametrize(
    ("unless", "acts"),
    [
        ("finds: card", True),
        ("finds: w", False),
        ("sender: alice.wong@bank.example", False),
        ("sender: alice.wong@bank.example, finds: card", True),
        ("direction: to_symphony", True),
    ],
)
def test_unless_takes_the_match_away(unless: str, acts: bool) -> None:
    """All keys of `unless` together remove the match."""
    policies = policy_set(many_rules(f"r | direction: both, finds: w | block: true | unless: {{ {unless} }}"))
    assert bool(weigh(policies, "a secret").matches) is acts


def test_groups_are_the_people_of_the_conversation() -> None:
    """A group applies whichever side its member is on."""
    top = "groups: { staff: { symphony: '*@bank.example' }, vip: { weixin: 'tag:贵宾' } }\n"
    for groups, acts in (("staff", True), ("vip", False), ("[vip, staff]", True)):
        policies = policy_set(one_rule(when=f"{{ direction: both, finds: card, groups: {groups} }}", top=top))
        for to in (WEIXIN, SYMPHONY):
            assert (weigh(policies, CARD, to=to).outcome is Outcome.BLOCK) is acts


# --- what cannot be read, and who is not paired ---------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "missing", "reason"),
    [
        ({"defect": "bad bytes near 4111"}, (), "the message could not be fully read"),
        ({"kind": Kind.UNKNOWN}, (), "the kind of message is not known"),
        ({}, ("salary 李雷.xlsx",), "1 attachment(s) could not be read"),
    ],
)
def test_what_cannot_be_read_is_held_and_the_reason_quotes_nothing(
    more: dict[str, Any], missing: tuple[str, ...], reason: str
) -> None:
    """A failure is its own cause, and its reason names no content, file or defect text."""
    verdict = weigh(policy_set(one_rule()), message("hello", **more), missing=missing)
    assert (verdict.outcome, verdict.cause, verdict.reason) == (Outcome.HOLD, Cause.FAILURE, reason)


def test_on_error_may_block_and_a_blocking_rule_beats_a_failure() -> None:
    """The stricter of two answers counts; of equals the failure is named."""
    strict = one_rule(top="defaults: { on_error: block }\n")
    assert weigh(policy_set(strict), message("x", defect="d")).outcome is Outcome.BLOCK
    verdict = weigh(policy_set(one_rule()), message(CARD, defect="d"))
    assert (verdict.outcome, verdict.cause) == (Outcome.BLOCK, Cause.RULE)
    verdict = weigh(policy_set(one_rule(then="{ hold: true }")), message(CARD, defect="d"))
    assert (verdict.outcome, verdict.cause) == (Outcome.HOLD, Cause.FAILURE)


def test_strangers_wait_or_are_blocked_by_default() -> None:
    """Without an approved pair the default of the strictest file decides, and the cause says so."""
    held = weigh(policy_set(one_rule()), "hello", route=None)
    assert (held.outcome, held.cause) == (Outcome.HOLD, Cause.DEFAULT)
    strict = one_rule(name="q", top="defaults: { unpaired: block }\n")
    assert weigh(policy_set(one_rule(), strict), "hello", route=None).outcome is Outcome.BLOCK
    masked = weigh(policy_set(one_rule(then=MASK)), CARD, route=None)
    assert masked.outcome is Outcome.HOLD and masked.text == "**** **** **** 1111"


def test_unmatched_may_hold_and_only_a_decision_counts_as_a_match() -> None:
    """`unmatched: hold` lets through what a rule delivers, not what a rule merely tags."""
    top = "defaults: { unmatched: hold }\n"
    assert weigh(policy_set(one_rule(top=top, then="{ tag: t }")), CARD).outcome is Outcome.HOLD
    assert weigh(policy_set(one_rule(top=top, then="{ deliver: true }")), CARD).outcome is Outcome.DELIVER
    assert weigh(policy_set(one_rule(top=top, then="{ deliver: true }")), "hi").cause is Cause.DEFAULT


def test_to_mask_is_no_permission() -> None:
    """Under `unmatched: hold` a masked or annotated message waits as it would without the rule."""
    top = "defaults: { unmatched: hold }\n"
    masked = weigh(policy_set(one_rule(top=top, then=MASK)), CARD)
    assert masked.outcome is Outcome.HOLD and masked.text == "**** **** **** 1111"
    annotated = policy_set(one_rule(top=top, then="{ annotate: { en: A. } }"))
    assert weigh(annotated, CARD).outcome is Outcome.HOLD


@pytest.mark.parametrize(("finder", "named"), [(ShapeFinder, "a"), (WordsFinder, "b")])
def test_a_rule_that_crashes_holds(finder: type, named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a detector raises, the message is held, the rule named, and the other rules still run."""

    def crash(self: object, scan: object) -> list[object]:
        raise ZeroDivisionError("secret text")

    policies = policy_set(
        one_rule(name="a", then="{ tag: a }"),
        words_rule("hello", "{ tag: b }").replace("policy: p", "policy: b"),
    )
    monkeypatch.setattr(finder, "find", crash)
    verdict = weigh(policies, f"hello {CARD}")
    assert (verdict.outcome, verdict.cause) == (Outcome.HOLD, Cause.FAILURE)
    assert verdict.reason == f"rule {named}/rule could not be computed"
    assert set(verdict.tags) == {"a", "b"} - {named}
    assert [m.policy for m in verdict.matches if m.why == "could not be computed"] == [named]


@pytest.mark.parametrize("more", ["    mode: monitor\n", "    rollout: { groups: nobody }\n"])
def test_a_monitored_rule_that_crashes_affects_nobody(more: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It could not have stopped anything; that it broke is written down."""
    policies = policy_set(one_rule(more=more, top="groups: { nobody: { symphony: nobody@bank.example } }\n"))
    monkeypatch.setattr(ShapeFinder, "find", lambda self, scan: 1 / 0)
    verdict = weigh(policies, CARD)
    assert verdict.outcome is Outcome.DELIVER
    assert [(m.enforced, m.why) for m in verdict.matches] == [(False, "could not be computed")]


# --- quotations and file names --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "carrier", [message("see", quote=f"card {CARD}"), message("see", files=(File("ref", f"{CARD}.pdf"),))]
)
def test_quotations_and_file_names_are_searched(carrier: Any) -> None:
    """A rule acts on what is quoted or how a file is called; a mask that cannot reach it holds instead."""
    assert weigh(policy_set(one_rule()), carrier).outcome is Outcome.BLOCK
    verdict = weigh(policy_set(one_rule(then=MASK)), carrier)
    assert (verdict.outcome, verdict.cause, verdict.text) == (Outcome.HOLD, Cause.RULE, "see")
    assert verdict.matches[0].spans == () and "quoted text" in verdict.matches[0].why


def test_nothing_is_found_across_two_parts() -> None:
    """A number does not begin in the message and end in its quotation."""
    assert weigh(policy_set(one_rule()), message("4111 1111", quote="1111 1111")).matches == ()


# --- telling the sender ---------------------------------------------------------------------------------


def test_texts_are_joined_per_language_without_repeats() -> None:
    """Each sentence once; a script of Chinese is completed by the text for both."""
    rules = (
        "a | direction: both, finds: w | block: true, tell_sender: { en: One., zh: 甲。 }",
        "b | direction: both, finds: w | block: true, tell_sender: { en: One., zh-Hant: 乙。 }",
        "c | direction: both, finds: w | block: true, tell_sender: { en: Two. }",
    )
    verdict = weigh(policy_set(many_rules(*rules)), "secret")
    assert verdict.tell == {"en": "One. Two.", "zh": "甲。", "zh-Hant": "甲。 乙。"}


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ("mtg", "Masked. Tagged. Passed."),
        ("mthg", "Waits."),
        ("mthgb", "Blocked."),
        ("mthgbB", "Blocked. Blocked too."),
    ],
)
def test_a_sender_is_told_what_becomes_of_the_message(rules: str, told: str) -> None:
    """Not that it was masked or waits, when it is blocked: a text counts where its rule's outcome stands."""
    known = {
        "m": "a | direction: both, finds: w | redact: true, tell_sender: { en: Masked. }",
        "t": "b | direction: both, finds: w | tag: t, tell_sender: { en: Tagged. }",
        "g": "c | direction: both, finds: w | deliver: true, tell_sender: { en: Passed. }",
        "h": "d | direction: both, finds: w | hold: true, tell_sender: { en: Waits. }",
        "b": "e | direction: both, finds: w | block: true, tell_sender: { en: Blocked. }",
        "B": "f | direction: both, finds: w | block: true, tell_sender: { en: Blocked too. }",
    }
    verdict = weigh(policy_set(many_rules(*(known[letter] for letter in rules))), "secret")
    assert verdict.tell == {"en": told}


def test_the_match_is_shown_only_where_the_rule_says_so() -> None:
    """Telling people the word teaches them to avoid it."""
    tell = "block: true, tell_sender: { en: No. }"
    assert weigh(policy_set(many_rules(f"r | direction: both, finds: w | {tell}")), "a SeCret").tell == {
        "en": "No."
    }
    shown = many_rules(f"r | direction: both, finds: w | {tell}, show_match: true")
    assert weigh(policy_set(shown), "a SeCret, SeCret").tell == {"en": "No. (SeCret)"}


# --- properties -----------------------------------------------------------------------------------------

RULES = (
    "a | direction: both, finds: card | redact: { keep_last: 4 }, tag: x, tell_sender: { en: One. }",
    "b | direction: both, finds: [card, w] | redact: { style: fixed }, tell_sender: { en: Two. }",
    "c | direction: both, finds: w | hold: { queue: q, conversation: wait }, tag: y",
    "d | direction: both, finds: w | block: true | mode: monitor",
)
TEXTS = ["hello", CARD, "secret", f"秘密 {CARD} secret", "4111 1111 1111 1111 1111"]


@pytest.mark.parametrize("text", TEXTS)
def test_the_order_of_rules_does_not_matter(text: str) -> None:
    """Every order of the rules of a file gives the same verdict, but for the file's hash."""
    verdicts = [
        dataclasses.replace(weigh(policy_set(many_rules(*order)), text), policies=())
        for order in itertools.permutations(RULES)
    ]
    assert all(verdict == verdicts[0] for verdict in verdicts)


@pytest.mark.parametrize("text", TEXTS)
def test_the_order_of_files_does_not_matter(text: str) -> None:
    """Composing files is plain union."""
    files = [one_rule(name="a", then=MASK), words_rule("secret").replace("policy: p", "policy: b")]
    assert weigh(policy_set(*files), text) == weigh(policy_set(*reversed(files)), text)


RESTRICTING = (*RULES, "e | direction: both, finds: card | annotate: { en: A. }")


@settings(max_examples=60)
@given(
    st.sets(st.sampled_from(RESTRICTING), min_size=1),
    st.sampled_from(RESTRICTING),
    st.sampled_from(TEXTS),
    st.sampled_from(["deliver", "hold"]),
)
def test_another_rule_never_loosens_an_outcome(
    rules: set[str], another: str, text: str, unmatched: str
) -> None:
    """Adding a rule that restricts gives the same or a stricter outcome, whatever becomes of the rest."""
    top = f"defaults: {{ unmatched: {unmatched} }}\nlists:"
    fewer, more = (
        weigh(policy_set(many_rules(*sorted(some)).replace("lists:", top, 1)), text)
        for some in (rules, rules | {another})
    )
    assert more.outcome.rank >= fewer.outcome.rank


EVERYTHING = policy_set(
    many_rules(*RULES),
    one_rule(
        "x: { type: pattern, pattern: '[a-z]+[0-9]' }\n  w: { type: words, list: ws }\n"
        + "".join(f"  {name}: {{ {kind.options} }}\n" for name, kind in KINDS.items()).rstrip(),
        f"{{ direction: both, finds: [x, w, {', '.join(KINDS)}], confidence: low }}",
        MASK,
        name="q",
        top="lists:\n  ws: { words: [加微信, telegram], evasion: [pinyin, split, separators, lookalike] }\n",
    ),
)


@settings(max_examples=100)
@given(ANY, ANY, ANY)
def test_any_text_gets_a_verdict(text: str, quote: str, name: str) -> None:
    """Any Unicode, half pairs and controls too, is judged without an error and recorded without loss."""
    verdict = weigh(EVERYTHING, message(text, quote=quote, files=(File("ref", name),)))
    assert verdict.cause is not Cause.FAILURE
    assert from_record(as_record(verdict)) == verdict


NUMBERLESS = st.text(st.characters(exclude_categories=("Nd", "Nl", "No")))
MASKING = policy_set(one_rule(then=MASK))


@settings(max_examples=100)
@given(NUMBERLESS, NUMBERLESS, st.sampled_from(["4111111111111111", "6222021234567890128"]), st.data())
def test_the_digits_of_a_card_do_not_get_out(
    before: str, after: str, number: str, data: st.DataObject
) -> None:
    """However it is written and whatever stands around it, only its last digits remain."""
    fillers = st.sampled_from(["", "", " ", "-", "\u200b", "\u0301"])
    written = "".join(digit + data.draw(fillers) for digit in number[:-1]) + number[-1]
    if data.draw(st.booleans()):
        written = written.translate({ord("0") + i: chr(ord("０") + i) for i in range(10)})
    before, after = f"{before}卡", f"号{after}"
    verdict = weigh(MASKING, before + written + after)
    assert verdict.outcome is Outcome.REDACT
    assert verdict.text.startswith(before) and verdict.text.endswith(after)
    masked = fold(verdict.text[len(before) : len(verdict.text) - len(after)])
    assert "".join(char for char in masked if char.isdigit()) == number[-4:]


def test_a_record_is_plain_and_always_the_same() -> None:
    """Verdicts become JSON, come back equal, and are written the same way every time."""
    verdict = weigh(EVERYTHING, f"秘密 {CARD} 11010519491231002X")
    written = json.dumps(as_record(verdict), sort_keys=True)
    assert from_record(json.loads(written)) == verdict
    again = weigh(EVERYTHING, f"秘密 {CARD} 11010519491231002X")
    assert json.dumps(as_record(again), sort_keys=True) == written
    assert ALICE.address not in written
