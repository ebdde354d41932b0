"""One verdict from many rules and files: the same in every order, and never looser for one rule more."""

from __future__ import annotations

import dataclasses
import datetime
import itertools
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from policy_rig import HEAD, NOW, message, policy_set, weigh

from bridge.message import SYMPHONY, WEIXIN, Earlier, File, Inspection, Kind, Message, Outcome, Verdict
from bridge.policy import PolicySet, as_record, from_record

MOMENT = int(NOW.timestamp() * 1000)
TOP = (
    "groups: { desk: { symphony: '*@bank.example' }, clients: { weixin: 'tag:客户' } }\n"
    "lists: { ws: { words: [秘密, secret] } }\n"
    "detectors:\n  card: { type: payment_card }\n  w: { type: words, list: ws }\n"
    "  acc: { type: pattern, pattern: '88[0-9]{6}', context: { words: 账户, messages: 2 } }\n"
)
RULES = (
    "a | finds: card | redact: { keep_last: 4 }, tag: x, review: all",
    "b | finds: [card, w] | redact: { style: fixed }, notify: b@x.example",
    "c | finds: w | hold: { queue: q, decide_within: 2h, if_late: block }",
    "d | finds: acc | hold: { decide_within: 5m } | rollout: { percent: 50 }",
    "e | kind: voice | block: true, tell_sender: { en: No. }",
    "f | any: [{ finds: w }, { files: { types: pdf } }] | annotate: { en: F. }",
    "g | outside: { hours: '09:00-18:00' } | tag: late | rollout: { groups: desk }",
    "h | finds: w, count: { at_least: 2, within: 10m } | block: true",
    "i | finds: w | block: true | mode: monitor, unless: { sender: '*@bank.example' }",
    "j | groups: clients, edited: true | hold: true, sample: { percent: 5 }",
)
FILES = (
    "attachments: { allow: [png], not_allowed: hold }\nkinds: { voice: hold }\n",
    "consent: { from: clients, text: { en: Ok.. } }\nretention: [{ id: r, keep: 7y, worm: true }]\n",
    "disclaimers: [{ id: d, direction: both, text: { en: D. } }]\n"
    "legal_holds: [{ id: l, people: '*', approved_by: g }]\n",
    "barriers: [{ id: z, between: [desk, clients], finds: card, then: hold }]\n"
    "defaults: { unmatched: hold }\n",
    "applies_to: { groups: clients }\narchive: [{ id: s, to: 's3://b/k' }]\n"
    "retention: [{ id: r, keep: 9y }]\n",
)


def rule(written: str) -> str:
    """A rule of id, when, then and more, separated by |."""
    name, when, then, *more = (part.strip() for part in written.split("|"))
    head = f"id: {name}, title: t, because: b, severity: low"
    keys = f"when: {{ direction: both, {when} }}, then: {{ {then} }}"
    return f"  - {{ {', '.join([head, keys, *more])} }}\n"


def policy(rules: Iterable[str] = RULES, more: str = "", name: str = "p") -> str:
    """A policy with some of the rules."""
    written = "".join(rule(one) for one in rules)
    return f"policy: {name}\n{HEAD}{more}{TOP}" + (f"rules:\n{written}" if written else "")


PDF = Inspection("a.pdf", "pdf", 9, text="秘密")
CARD = "4111 1111 1111 1111"
TEXTS = st.lists(
    st.sampled_from(["hello ", "secret", CARD, " 88123456 ", "秘密", "账户", "　", "é"]), max_size=5
)
SITUATIONS = st.fixed_dictionaries(
    {
        "to": st.sampled_from([WEIXIN, SYMPHONY]),
        "consent": st.sampled_from([{}, {"f1": MOMENT}]),
        "said": st.sampled_from([{}, {"f2/d": MOMENT}]),
        "earlier": st.sampled_from([(), (Earlier(1, -1000, "secret"), Earlier(2, -500, "账户"))]),
        "inspections": st.sampled_from([(), (PDF,)]),
        "missing": st.sampled_from([(), ("b.pdf",)]),
        "now": st.sampled_from([NOW, NOW + datetime.timedelta(hours=11)]),
    }
)
MESSAGES = st.builds(
    lambda text, kind, replaces, quote, files: message(
        "".join(text), kind=kind, replaces=replaces, quote=quote, files=files
    ),
    TEXTS,
    st.sampled_from([Kind.TEXT, Kind.VOICE, Kind.UNKNOWN]),
    st.sampled_from(["", "m0"]),
    st.sampled_from(["", "secret"]),
    st.sampled_from([(), (File("r", "a.pdf"),)]),
)
FORWARD = policy_set(policy(), *(policy((), more, f"f{n}") for n, more in enumerate(FILES)))
BACKWARD = policy_set(
    *(policy((), more, f"f{n}") for n, more in reversed(list(enumerate(FILES)))),
    policy(tuple(reversed(RULES))),
)


def unhashed(verdict: Verdict) -> Verdict:
    """`verdict` but for the hashes of files, which know the order of their rules."""
    return dataclasses.replace(verdict, policies=tuple((name, "") for name, _ in verdict.policies))


@settings(max_examples=80)
@given(MESSAGES, SITUATIONS)
def test_no_order_of_rules_or_files_changes_a_verdict(sent: Message, situation: dict[str, Any]) -> None:
    """Everything in the verdict, whatever is sent in whatever situation; and its record comes back."""
    verdict = weigh(FORWARD, sent, **situation)
    assert unhashed(verdict) == unhashed(weigh(BACKWARD, sent, **situation))
    assert from_record(as_record(verdict)) == verdict


PAIRS = [
    (policy_set(policy(some, name="p")), policy_set(policy((*some, RULES[more]), name="p")))
    for some, more in (
        (tuple(r for n, r in enumerate(RULES) if n != left and (n + left) % 2), left)
        for left in range(len(RULES))
    )
]


@settings(max_examples=80)
@given(st.sampled_from(PAIRS), MESSAGES, SITUATIONS)
def test_one_rule_more_never_loosens(
    pair: tuple[PolicySet, PolicySet], sent: Message, situation: dict[str, Any]
) -> None:
    """The outcome is at least as strict, and whatever was masked, kept or reviewed still is."""
    fewer, more = (weigh(policies, sent, **situation) for policies in pair)
    assert more.outcome.rank >= fewer.outcome.rank
    assert set(fewer.tags) <= set(more.tags) and set(fewer.samples) <= set(more.samples)
    assert set(fewer.matches) <= set(more.matches)


@settings(max_examples=60)
@given(MESSAGES, SITUATIONS)
def test_one_file_more_never_loosens(sent: Message, situation: dict[str, Any]) -> None:
    """Composing files is union: the set is as strict as each of its files that is in force."""
    together = weigh(FORWARD, sent, **situation)
    for one in ALONE:
        alone = weigh(one, sent, **situation)
        if alone.policies:
            assert together.outcome.rank >= alone.outcome.rank


ALONE = [policy_set(policy((), more, f"f{n}")) for n, more in enumerate(FILES)] + [policy_set(policy())]


def test_a_verdict_of_several_files_names_each_and_adds_up() -> None:
    """Gate, disclaimer, retention of two files, archive and hold in one verdict."""
    verdict = weigh(FORWARD, "hello", consent={"f1": MOMENT})
    assert [name for name, _ in verdict.policies] == ["f0", "f1", "f2", "f3", "f4", "p"]
    assert [(one.key, one.worm) for one in verdict.retention] == [("f4/r", True), ("f1/r", True)]
    assert verdict.legal_holds == ("f2/l",) and verdict.archives == ("f4/s",)
    assert [one.key for one in verdict.annotations] == ["f2/d"]
    assert (verdict.outcome, verdict.reason) == (Outcome.HOLD, "no rule matched")


def test_a_message_waits_in_every_queue_that_asked() -> None:
    """A desk takes nothing from the firm: all queues, the soonest deadline, block before escalate."""
    holds = {
        "firm": "hold: { queue: control-room, decide_within: 2h, if_late: block }",
        "desk": "hold: { queue: desk, decide_within: 5m, if_late: escalate }",
        "late": "hold: { queue: control-room }",
    }
    files = [policy([f"r | finds: w | {hold}"], name=name) for name, hold in holds.items()]
    for order in itertools.permutations(files):
        verdict = weigh(policy_set(*order), "secret")
        assert (verdict.queue, verdict.decide_within) == ("control-room, desk", 300_000)
        assert verdict.if_late == "block"


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_texts_of_several_rules_are_told_in_one_order(order: tuple[int, ...]) -> None:
    """By the rules' names, whatever the order in which they stand."""
    rules = [f"r{n} | finds: w | block: true, tell_sender: {{ en: T{n}. }}" for n in order]
    assert weigh(policy_set(policy(rules)), "secret").tell == {"en": "T0. T1. T2."}
