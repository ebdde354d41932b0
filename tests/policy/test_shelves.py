"""Shelves: what is not asked would not have matched."""

from __future__ import annotations

import random

import pytest
from policy_rig import ALICE, CLIENT, HEAD, NOW, message, policy_set

from bridge.message import SYMPHONY, WEIXIN, Context, Kind, Message, Party, Route
from bridge.policy.conditions import holds
from bridge.policy.facts import Facts

GROUPS = "groups: { desk: { symphony: '*@bank.example' }, vip: { weixin: 'tag:贵宾' } }\n"
KEYS = {
    "direction": ["to_weixin", "to_symphony", "both"],
    "sender": [None, "alice.wong@bank.example", "'tag:贵宾'"],
    "recipient": [None, "wm-lilei", "'*@bank.example'"],
    "groups": [None, "desk", "vip", "[desk, vip]"],
    "kind": [None, "text", "[voice, text]"],
    "finds": [None, "card", "[card, w]"],
}
MESSAGES = [
    (message(text, kind=kind), route)
    for text in ("hello", "secret 4111 1111 1111 1111")
    for kind in (Kind.TEXT, Kind.VOICE)
    for route in (
        Route(ALICE, CLIENT, WEIXIN, "c2"),
        Route(CLIENT, ALICE, SYMPHONY, "c1"),
        Route(Party(WEIXIN, "wm-2", tags=frozenset({"贵宾"})), ALICE, SYMPHONY, "c1"),
        None,
    )
]


def random_policy(seed: int) -> str:
    """A policy of forty rules with keys drawn at random."""
    chance = random.Random(seed)
    text = f"policy: p\n{HEAD}{GROUPS}lists: {{ ws: {{ words: [secret] }} }}\n"
    text += "detectors: { card: { type: payment_card }, w: { type: words, list: ws } }\nrules:\n"
    for number in range(40):
        chosen = {key: chance.choice(values) for key, values in KEYS.items()}
        when = ", ".join(f"{key}: {value}" for key, value in chosen.items() if value)
        head = f"id: r{number}, title: t, because: b, severity: low"
        text += f"  - {{ {head}, when: {{ {when} }}, then: {{ tag: t }} }}\n"
    return text


def matches(known: Facts, when: object) -> bool:
    """Whether a condition holds, all of it asked."""
    look = known.scan(inside=False)
    way, kind = known.direction in when.directions, known.message.kind
    return way and (when.kinds is None or kind in when.kinds) and holds(when, known, lambda: look) is not None


@pytest.mark.parametrize("seed", range(5))
def test_every_rule_that_matches_is_asked(seed: int) -> None:
    """And each once; asking all of them finds no other one."""
    policies = policy_set(random_policy(seed))
    (policy,) = policies.policies
    for sent, route in MESSAGES:
        direction = "to_weixin" if route is None or route.network == WEIXIN else "to_symphony"
        written: Message = sent
        known = Facts(written, Context(direction, route), NOW, policies.roster, policies.engine)
        asked = list(policy.shelves.worth_asking(known, lambda known=known: known.scan(inside=False)))
        assert len(asked) == len(set(asked))
        assert {r.id for r in policy.rules if matches(known, r.when)} <= {r.id for r in asked}


def test_rules_for_others_are_not_asked() -> None:
    """A hundred rules for a hundred people: one is asked, and no text is looked at."""
    head = "title: t, because: b, severity: low, then: { tag: t }"
    rules = "".join(
        f"  - {{ id: r{n}, {head}, when: {{ direction: both, sender: u{n}@x.example }} }}\n"
        for n in range(100)
    )
    policies = policy_set(f"policy: p\n{HEAD}rules:\n{rules}")
    sender = Party(SYMPHONY, "u7", address="U7@x.example")
    context = Context("to_weixin", Route(sender, CLIENT, WEIXIN, "c2"))
    known = Facts(message("hello"), context, NOW, policies.roster, policies.engine)

    def look() -> None:
        pytest.fail("nothing has to be found")

    assert [rule.id for rule in policies.policies[0].shelves.worth_asking(known, look)] == ["r7"]  # type: ignore[arg-type]
