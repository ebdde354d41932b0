"""Small policies and messages for the tests of this room.

Rules of this file: a policy is written as staff write it, in YAML; nothing is built around the loader.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from bridge.message import SYMPHONY, WEIXIN, Context, Message, Outcome, Party, Route, Verdict
from bridge.policy import PolicySet, Source, assemble, render
from bridge.policy.judge import judge

NOW = datetime.datetime(2026, 1, 5, 12, 0, tzinfo=datetime.UTC)
ALICE = Party(SYMPHONY, "7001", "Alice Wong", "alice.wong@bank.example")
CLIENT = Party(WEIXIN, "wm-lilei", "李雷", language="zh", tags=frozenset({"客户"}))
HEAD = "language: 1\ntitle: t\nowner: o@bank.example\n"


def policy_set(*texts: str, files: Mapping[str, str] | None = None) -> PolicySet:
    """The policies of `texts`, which must be without errors; each begins with its own `policy:` line."""
    beside = {name: text.encode() for name, text in (files or {}).items()}
    policies, problems = assemble([Source(f"{n}.yaml", t.encode(), beside) for n, t in enumerate(texts)])
    assert policies is not None, render(problems)
    assert not [problem for problem in problems if problem.severity == "error"], render(problems)
    return policies


def one_rule(
    detectors: str = "card: { type: payment_card }",
    when: str = "{ direction: both, finds: card }",
    then: str = "{ block: true }",
    *,
    name: str = "p",
    more: str = "",
    top: str = "",
) -> str:
    """A policy with one rule, called `rule`."""
    return (
        f"policy: {name}\n{HEAD}{top}detectors:\n  {detectors}\nrules:\n  - id: rule\n    title: A rule\n"
        f"    because: b\n    severity: high\n{more}    when: {when}\n    then: {then}\n"
    )


def words_rule(words: str, then: str = "{ block: true }", when: str = "{ direction: both, finds: w }") -> str:
    """A policy with one rule that finds `words`."""
    return one_rule("w: { type: words, list: ws }", when, then, top=f"lists:\n  ws: {{ words: [{words}] }}\n")


def message(text: str, **more: Any) -> Message:
    """A message from Alice."""
    return Message(SYMPHONY, "m1", "c1", ALICE.id, 0, text=text, address=ALICE.address, **more)


def weigh(policies: PolicySet, text: str | Message, *, to: str = WEIXIN, **more: Any) -> Verdict:
    """The verdict on a text that Alice writes to the client, or (`to=SYMPHONY`) the client to Alice."""
    sender, recipient = (ALICE, CLIENT) if to == WEIXIN else (CLIENT, ALICE)
    now = more.pop("now", NOW)
    known: dict[str, Any] = {"direction": f"to_{to}", "route": Route(sender, recipient, to, "c2")}
    written = message(text) if isinstance(text, str) else text
    return judge(policies, written, Context(**(known | more)), now)


def looking_for(options: str, confidence: str = "medium") -> PolicySet:
    """A policy that blocks what one detector, written with `options`, finds with this confidence."""
    when = f"{{ direction: both, finds: x, confidence: {confidence} }}"
    return policy_set(one_rule(f"x: {{ {options} }}", when))


def found(policies: PolicySet, text: str) -> list[str]:
    """The passages of `text` that the rule's detectors find."""
    return [text[start:end] for match in weigh(policies, text).matches for start, end in match.spans]


def stops(policies: PolicySet, text: str) -> bool:
    """Whether the blocking rule acts on `text`."""
    return weigh(policies, text).outcome is Outcome.BLOCK
