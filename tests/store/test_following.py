"""What follows from a verdict: texts below, consent, staff told, samples noted; each once, each recorded."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from rig import CONTACT, LANGUAGES, STREAM, Hands, judge, message

from bridge import desk, pipeline, words
from bridge.message import (
    SYMPHONY,
    WEIXIN,
    Annotation,
    Archived,
    Match,
    Message,
    Outcome,
    Sample,
    Verdict,
)
from bridge.ports import NO_REACH
from bridge.store.following import QUIET

ADVICE = Annotation("desk/advice", {"en": "Not advice.", "zh": "不构成建议。"})
ASK = {"en": "Do you agree?", "zh": "您同意吗？"}
BOB = "bob.li@bank.example"


class Desk:
    """The rig's judge, with a consent gate, a disclaimer once a conversation, and rules that notify."""

    reach = NO_REACH

    def __init__(self) -> None:
        self.seen: list[Archived] = []

    def __call__(self, archived: Archived, now: Any) -> Verdict:
        """The verdict."""
        self.seen.append(archived)
        verdict, text = judge(archived, now), archived.message.text
        if "TELL" in text:
            matches = (Match("desk", "names", "Names", verdict.outcome),)
            verdict = replace(verdict, matches=matches, notify=(BOB,), queue="control-room")
        if "DRAW" in text:
            verdict = replace(verdict, samples=(Sample("desk/daily", "supervision", 12.5),))
        if "BELOW" in text and ADVICE.key not in archived.said:
            verdict = replace(verdict, annotations=(ADVICE,))
        if "GATE" in text and "desk" not in archived.consent:
            verdict = replace(verdict, outcome=Outcome.HOLD, ask=ASK, gated="HOLD" not in text)
        return replace(verdict, agreed=("desk",)) if text == "同意" else verdict


@pytest.fixture
def policy() -> Desk:
    """The policy of these tests."""
    return Desk()


async def weigh(hands: Hands, policy: Desk, *messages: Message) -> None:
    """Archive these in one batch, and judge until nothing is left to judge."""
    if messages:
        await hands.archive(*messages)
    while waiting := await hands.store.unjudged(100, policy.reach):
        rulings = pipeline.decide(waiting, policy, hands.clock.now(), LANGUAGES)
        await hands.store.record_rulings(rulings)


def alice(number: int, text: str, **more: Any) -> Message:
    """Alice writes."""
    return message(SYMPHONY, number, text, **more)


def client(number: int, text: str) -> Message:
    """李雷 writes."""
    return message(WEIXIN, f"w{number}", text)


async def shown(hands: Hands, network: str) -> list[tuple[str, str]]:
    """What is sent into `network`: conversation and text, in order."""
    found = []
    while claims := await hands.claim(network):
        for one in claims:
            found.append((one.permit.conversation, one.permit.content.text))
            await hands.end(one)
    return found


# --- texts below ----------------------------------------------------------------------------------------


async def test_a_text_is_said_once_also_within_a_batch(hands: Hands, policy: Desk) -> None:
    """Three messages of one batch: the first carries it, in the reader's language; later ones know it."""
    await weigh(hands, policy, *(alice(n, f"BELOW {n}") for n in (1, 2, 3)))
    assert await hands.send(WEIXIN) == ["BELOW 1\n不构成建议。", "BELOW 2", "BELOW 3"]
    await weigh(hands, policy, alice(4, "BELOW 4"))
    assert await hands.send(WEIXIN) == ["BELOW 4"]
    assert [ADVICE.key in one.said for one in policy.seen] == [False, True, True, True]


async def test_a_text_is_said_to_each_reader(hands: Hands, policy: Desk) -> None:
    """What the client was shown, Alice has not been."""
    await weigh(hands, policy, alice(1, "BELOW"))
    await weigh(hands, policy, client(2, "BELOW"))
    assert await hands.send(SYMPHONY) == ["BELOW\nNot advice."]


async def test_what_is_held_says_nothing_yet_and_a_release_does(hands: Hands, policy: Desk) -> None:
    """A held message shows nobody anything; released, it carries its text, which has been said then."""
    await weigh(hands, policy, alice(1, "HOLD BELOW"), alice(2, "BELOW"))
    assert (await hands.send(WEIXIN))[0].endswith("BELOW\n不构成建议。")
    await desk.release(hands.store, 1, "carol", "fine")
    (text,) = await hands.send(WEIXIN)
    assert text.splitlines()[1:] == ["HOLD BELOW", "不构成建议。"]


# --- staff ----------------------------------------------------------------------------------------------


async def test_staff_are_told_without_a_word_of_the_message(hands: Hands, policy: Desk) -> None:
    """A direct message: number, rule, queue, command; not what was written."""
    await weigh(hands, policy, alice(1, "HOLD and TELL of Project Falcon"))
    told = [text for chat, text in await shown(hands, SYMPHONY) if chat == f"im:{BOB}"]
    assert told == [words.staff("hold", "en", 1, "desk/names", "control-room")]
    assert "Falcon" not in told[0]


async def test_staff_are_told_of_the_same_once_in_a_while(hands: Hands, policy: Desk) -> None:
    """Ten messages by the same rule in one conversation are one notice, until ten minutes have passed."""
    await weigh(hands, policy, *(alice(n, "TELL") for n in range(1, 11)))
    await weigh(hands, policy, client(1, "TELL"))
    assert len([1 for chat, _ in await shown(hands, SYMPHONY) if chat.startswith("im:")]) == 2
    hands.clock.forward(QUIET - 1)
    await weigh(hands, policy, alice(20, "TELL"))
    assert [chat for chat, _ in await shown(hands, SYMPHONY) if chat.startswith("im:")] == []
    hands.clock.forward(1)
    await weigh(hands, policy, alice(21, "TELL"))
    assert len([1 for chat, _ in await shown(hands, SYMPHONY) if chat.startswith("im:")]) == 1


# --- consent --------------------------------------------------------------------------------------------


async def test_a_client_is_asked_once(hands: Hands, policy: Desk) -> None:
    """However many messages wait for it, the client is asked once, in the client's language."""
    await weigh(hands, policy, alice(1, "GATE a"), alice(2, "GATE b"))
    await weigh(hands, policy, alice(3, "GATE c"))
    assert await shown(hands, WEIXIN) == [(CONTACT, ASK["zh"])]
    assert len(await hands.entries("consent:asked")) == 1
    assert list((await hands.states("reviews")).values()) == ["open"] * 3


async def test_consent_lets_go_on_what_waited_for_it_in_order(hands: Hands, policy: Desk) -> None:
    """What was held for nothing else is judged again and goes on, in the order it was written; the rest
    stays held."""
    await weigh(hands, policy, alice(1, "GATE a"), alice(2, "GATE HOLD b"), alice(3, "GATE c"))
    await weigh(hands, policy, client(4, "同意"))
    await weigh(hands, policy, alice(5, "GATE d"))
    sent = [text for text in await hands.send(WEIXIN) if "GATE" in text]
    assert [text.splitlines()[-1] for text in sent] == ["GATE a", "GATE c", "GATE d"]
    assert (await hands.states("reviews")) == {1: "lifted", 2: "open", 3: "lifted"}
    assert [one.facts["message"] for one in await hands.entries("hold:lifted")] == [1, 3]
    (given,) = await hands.entries("consent:given")
    assert await hands.rows("SELECT gate, given_at FROM consents WHERE given_at > 0") == [("desk", given.at)]


async def test_consent_in_the_same_batch_is_known_to_what_comes_after(hands: Hands, policy: Desk) -> None:
    """Behind the consent nothing of that pair is judged with what was known before it."""
    await hands.archive(alice(1, "GATE a"))
    await hands.archive(client(2, "同意"))
    await hands.archive(alice(3, "GATE b"))
    await weigh(hands, policy)
    sent = [text for text in await hands.send(WEIXIN) if "GATE" in text]
    assert [text.splitlines()[-1] for text in sent] == ["GATE a", "GATE b"]


async def test_after_a_renewal_a_client_is_asked_again(hands: Hands, policy: Desk) -> None:
    """Asked, agreed, and closed again by time: another question."""
    await weigh(hands, policy, alice(1, "GATE a"))
    await weigh(hands, policy, client(2, "同意"))
    hands.clock.forward(1_000)
    await hands.archive(alice(3, "GATE c"))
    (waiting,) = await hands.store.unjudged(9)
    closed = policy(replace(waiting, consent={}), None)
    await hands.store.record_rulings([pipeline.Ruling(waiting, closed)])
    assert len(await hands.entries("consent:asked")) == 2


async def test_strangers_are_asked_nothing(hands: Hands, policy: Desk) -> None:
    """Without a pair there is no client to ask."""
    await weigh(hands, policy, alice(1, "GATE", conversation="room-9"))
    assert await hands.entries("consent:asked") == []


# --- samples, deadlines ---------------------------------------------------------------------------------


async def test_what_was_delivered_may_be_drawn(hands: Hands, policy: Desk) -> None:
    """A delivered message is eligible on its day; what was held is reviewed anyway."""
    await weigh(hands, policy, alice(1, "DRAW"), alice(2, "DRAW HOLD"))
    rows = await hands.rows("SELECT message, key, day, queue, percent, state FROM samples")
    assert rows == [(1, "desk/daily", "2026-01-05", "supervision", "12.5", "eligible")]
    judged = await hands.entries("message:judged")
    assert [one.facts.get("samples") for one in judged[:2]] == [1, None]


async def test_the_record_says_what_was_known(hands: Hands, policy: Desk) -> None:
    """Consent and texts that the judge was given stand in the verdict's body."""
    await weigh(hands, policy, alice(1, "BELOW"), client(2, "同意"))
    await weigh(hands, policy, alice(3, "GATE BELOW"))
    ((entry,),) = await hands.rows("SELECT max(entry) FROM verdicts")
    known = json.loads(await hands.body(entry))["known"]
    assert (set(known["consent"]), set(known["said"]), known["pair"]) == ({"desk"}, {ADVICE.key}, 1)
    assert STREAM not in known
