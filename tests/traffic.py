"""Mixed traffic under a policy that uses all the language: for tests of what is recorded and decided again.

Rules of this file: the policy is real and goes through the loader; the traffic comes from a seed and goes
through the store and the judgement room's own functions. Nothing here knows what a verdict should be.
"""

from __future__ import annotations

from datetime import datetime
from random import Random
from typing import Any

from rig import LANGUAGES, Clock, Hands, message

from bridge import in_force, pipeline
from bridge.message import SYMPHONY, WEIXIN, Archived, File, Kind, Message, Verdict
from bridge.policy import PolicySet, Source, assemble, render
from bridge.policy.judge import judge

DESK = """\
policy: desk
language: 1
title: A desk
owner: compliance@bank.example
timezone: Asia/Hong_Kong
groups:
  advisors: { symphony: ["*@bank.example"] }
  clients: { weixin: ["*"] }
lists:
  secret: { words: [merger, 内幕, 併購] }
  account_words: { words: [account, 账户, 卡号] }
  gifts: { words: [gift, 红包] }
detectors:
  card: { type: payment_card }
  secret: { type: words, list: secret }
  gift: { type: words, list: gifts }
  account:
    type: pattern
    pattern: "[0-9]{8,12}"
    boundary: digits
    context: { words: [account, 账户], within: 30, messages: 2 }
consent:
  from: clients
  text: { en: "May we keep what you write?", zh: "您同意我们留存记录吗？" }
disclaimers:
  - { id: advice, direction: to_weixin, every: day, text: { en: "Not advice.", zh: "不构成建议。" } }
rules:
  - id: cards
    title: No card numbers
    severity: high
    when: { direction: both, finds: card }
    then: { redact: { keep_last: 4 }, tag: privacy }
  - id: accounts
    title: No account numbers
    severity: high
    when: { direction: both, finds: account }
    then: { redact: true }
  - id: inside
    title: Inside information
    severity: critical
    when: { direction: to_weixin, finds: secret }
    then:
      hold: { queue: control-room, decide_within: 15m, if_late: escalate }
      notify: bob.li@bank.example
      tell_sender: { en: "A colleague looks at it first." }
  - id: gifts
    title: Gifts
    severity: medium
    when: { direction: both, finds: gift, count: { at_least: 2, within: 10m } }
    then: { block: true }
  - id: sampled
    title: A sample of everything
    severity: low
    when: { direction: both }
    then: { sample: { percent: 5, queue: supervision } }
"""

PHRASES = (
    "good morning", "你好", "my account", "账户", "8812345678", "4111 1111 1111 1111", "the merger", "gift",
    "一个 gift", "红包", "ok", "thanks", "卡号 4111111111111111", "内幕", "buy 500 shares", "同意", "yes",
)  # fmt: skip


def policies(text: str = DESK) -> PolicySet:
    """The policy, checked and ready."""
    found, problems = assemble([Source("desk.yaml", text.encode())])
    assert found is not None, render(problems)
    return found


class Judging:
    """The policies as the judgement room takes them."""

    def __init__(self, ready: PolicySet) -> None:
        self.policies, self.reach = ready, ready.reach

    def __call__(self, archived: Archived, now: datetime) -> Verdict:
        """The verdict of the policies."""
        return judge(self.policies, archived.message, archived.context, now)


def frozen(ready: PolicySet) -> in_force.Judging:
    """The daemon's own judge while a person has frozen the bridge: set as `Judging` where that matters."""
    judging = in_force.Judging(ready)
    judging.frozen = True
    return judging


async def judged(hands: Hands, ready: PolicySet) -> None:
    """Judge all that waits, as the room does."""
    judging = Judging(ready)
    while waiting := await hands.store.unjudged(50, judging.reach):
        rulings = pipeline.decide(waiting, judging, hands.clock.now(), LANGUAGES)
        await hands.store.record_rulings(rulings)


async def traffic(hands: Hands, ready: PolicySet, seed: int, count: int) -> None:
    """Let Alice, 李雷 and a stranger write `count` messages in batches, judged as they come."""
    await hands.store.activate_policy(ready.hashes, "daemon", "start", ready.sources)
    random = Random(seed)
    written: list[Message] = []
    for number in range(1, count + 1):
        written.append(_message(random, number, hands.clock, written))
        if random.random() < 0.4:
            await _archive(hands, written[-5:])
            await judged(hands, ready)
            hands.clock.forward(random.choice([1_000, 60_000, 400_000, 30_000_000]))
    await _archive(hands, written)
    await judged(hands, ready)


async def _archive(hands: Hands, messages: list[Message]) -> None:
    for network in (SYMPHONY, WEIXIN):
        if some := [one for one in messages if one.network == network]:
            await hands.archive(*some)
    for wanted in await hands.store.wanted_files(SYMPHONY, 99):
        await hands.store.settle_file(wanted, None, "gone")


def _message(random: Random, number: int, clock: Clock, before: list[Message]) -> Message:
    network = random.choice([SYMPHONY, SYMPHONY, WEIXIN])
    text = " ".join(random.sample(PHRASES, random.choice([1, 1, 2, 3])))
    more: dict[str, Any] = {"sent_at": clock.now() - random.randrange(5_000)}
    if network == SYMPHONY:
        more |= {"address": "alice.wong@bank.example", "sender_name": "Alice Wong"}
    chance = random.random()
    mine = [one for one in before if one.network == network]
    if chance < 0.05:
        more |= {"conversation": "wkDesk/wmStranger" if network == WEIXIN else "room-9"}
    elif chance < 0.08 and network == SYMPHONY:
        more |= {"files": (File("ref", "report.pdf", Kind.FILE),), "kind": Kind.FILE}
    elif chance < 0.14 and mine:
        more |= {"replaces": random.choice(mine).id}
    elif chance < 0.18 and mine:
        more |= {"refers_to": random.choice(mine).id, "quote": random.choice(mine).text}
    elif chance < 0.21 and mine:
        more |= {"refers_to": random.choice(mine).id, "kind": Kind.RECALL}
        text = ""
    return message(network, f"{network}-{number}", text, **more)
