"""Four short stories that together make the house do everything it can do to a message.

Rules of this file: a story is written into the two networks before it is lived: what people say, what goes
wrong, and how people react to what they are shown. What they should see in the end follows from what was
said (`life.Life`) and from the tables here. Short stories are cheap: the matrix lives each as often as it
has steps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

import rig
from rig import SYMPHONY, WEIXIN, Peer, Shown

from bridge import words
from bridge.errors import Refused, Unreachable
from bridge.message import Annotation, Archived, File, Kind, Match, Outcome, Sample, Verdict
from bridge.ports import NO_REACH

PICTURE = b"\x89PNG" + bytes(range(256)) * 8

STRANGER = {"conversation": "wkDesk/wmStranger", "sender": "wmStranger"}


ADVICE = Annotation("desk/advice", {"en": "Not advice.", "zh": "不构成建议。"})
ASK = {"en": "Do you agree?", "zh": "您同意吗？"}
AGREED = "同意"
BOB = "bob.li@bank.example"
SOON = 3000
"""Milliseconds in which a hold with LATE in it is to be decided."""


def judge(archived: Archived, now: datetime) -> Verdict:
    """The rig's policy, with more marks: GATE (needs the client's consent), BELOW (with a text of the firm's,
    once), TELL (staff are told), DRAW (a sample), and LATE in a hold (with a limit: staff are told, then it
    is escalated, or blocked).
    """
    verdict, text = rig.judge(archived, now), archived.message.text
    if "LATE" in text:
        if_late = "block" if "block" in text else "escalate"
        verdict = replace(verdict, decide_within=SOON, if_late=if_late)
    if "LATE" in text or "TELL" in text:
        matches = (Match("desk", "late" if "LATE" in text else "names", "", verdict.outcome),)
        verdict = replace(verdict, matches=matches, notify=(BOB,), queue="desk")
    if "DRAW" in text:
        verdict = replace(verdict, samples=(Sample("desk/daily", "desk", 10),))
    if "BELOW" in text and ADVICE.key not in archived.said:
        verdict = replace(verdict, annotations=(ADVICE,))
    if "GATE" in text and "desk" not in archived.consent:
        verdict = replace(verdict, outcome=Outcome.HOLD, ask=ASK, gated=True)
    return replace(verdict, agreed=("desk",)) if text == AGREED else verdict


judge.reach = NO_REACH  # type: ignore[attr-defined]


def zh(key: str) -> str:
    """The bridge's words to 李雷."""
    return words.say(key, "zh-Hans")


def en(key: str) -> str:
    """The bridge's words to Alice."""
    return words.say(key, "en")


@dataclass(frozen=True, slots=True)
class Story:
    """A story, and what it comes to.

    `marks` are the lines above some of the texts shown. `told` are the bridge's own words to the people of
    each network, each said once; whether those in `depends` are said depends on when the process dies.
    `acts` are a reviewer's: (words of the held message, words that the other side must have been shown
    before, whether it passes). `facts` are how many entries of a kind the ledger has in the end. `below` is
    how often a text of the firm's stands below a message, and `samples` what may be drawn for review.
    """

    name: str
    write: Callable[[Peer, Peer], None]
    marks: Mapping[str, list[str]]
    told: Mapping[str, list[str]]
    depends: frozenset[str] = frozenset()
    acts: tuple[tuple[str, str, bool], ...] = ()
    window: int = 1_000_000
    files: Mapping[str, tuple[bytes, ...]] = field(default_factory=dict)
    facts: Mapping[str, int] = field(default_factory=dict)
    below: int = 0
    samples: tuple[str, ...] = ()


def once(react: Callable[[Shown], object]) -> Callable[[Shown], None]:
    """A reaction to the first time that something is shown."""
    done: list[object] = []

    def reacting(shown: Shown) -> None:
        if not done:
            done.append(react(shown))

    return reacting


def _outward(pod: Peer, platform: Peer) -> None:
    first = pod.say("good morning")
    pod.say("account MASK")
    pod.say("BLOCK this")
    pod.say("a chart", kind=Kind.IMAGE, files=(File("picture", "chart.png", Kind.IMAGE, "image/png"),))
    pod.say("behind the chart")
    pod.repeat(0)
    pod.say("answer gets lost")
    pod.files["picture"] = [PICTURE[:1000], PICTURE[1000:]]
    pod.troubles["picture"] = [Unreachable("away", certain=True)]
    platform.troubles["gets lost"] = [Unreachable("lost", certain=False)]
    platform.troubles["a chart"] = [Unreachable("away", certain=True)]
    platform.reactions["good morning"] = once(lambda _: pod.say("good evening", replaces=first.id))
    platform.refused = lambda _: platform.say(f"back {len(platform.stream)}")


def _inward(pod: Peer, platform: Peer) -> None:
    platform.say("hello Alice")
    platform.say("network is shaky")
    platform.say("answer gets lost")
    recalled = platform.say("soon regretted")
    platform.say("too much")
    platform.say("after that")
    platform.repeat(1)
    pod.say("never arrives")
    pod.troubles["shaky"] = [Unreachable("away", certain=True)] * 2
    pod.troubles["gets lost"] = [Unreachable("lost", certain=False)]
    pod.troubles["too much"] = [Refused("too-large", "it is larger than we take")]
    pod.reactions["regretted"] = once(lambda _: platform.say("", kind=Kind.RECALL, refers_to=recalled.id))
    platform.reactions["never arrives"] = once(
        lambda shown: platform.say("", kind=Kind.FAILED, refers_to=shown.id)
    )


def _held(pod: Peer, platform: Peer) -> None:
    pod.say("HOLD until seen")
    pod.say("after the hold")
    pod.say("WAIT for it")
    pod.say("patient")
    held = platform.say("HOLD taken back")
    platform.say("", kind=Kind.RECALL, refers_to=held.id)
    platform.say("HOLD rejected")
    platform.say("after the other hold")
    platform.say("let me in", **STRANGER)


def _watched(pod: Peer, platform: Peer) -> None:
    pod.say("GATE one BELOW")
    pod.say("GATE two BELOW")
    platform.say("HOLD LATE escalate")
    platform.say("HOLD LATE block")
    platform.say("TELL somebody")
    platform.say("DRAW this")
    platform.reactions[ASK["zh"]] = once(lambda _: platform.say(AGREED))
    pod.reactions[AGREED] = once(lambda _: pod.say("GATE open BELOW"))


STORIES = (
    Story(
        "outward",
        _outward,
        marks={"good morning": [], "a chart": [], "behind the chart": [], "good evening": [zh("edited")]},
        told={SYMPHONY: [en("block")], WEIXIN: []},
        depends=frozenset({en("window")}),
        window=4,
        files={"a chart": (PICTURE,)},
    ),
    Story(
        "inward",
        _inward,
        marks={"hello Alice": [], "soon regretted": [], "after that": []},
        told={SYMPHONY: [en("undelivered")], WEIXIN: [zh("too-large")]},
    ),
    Story(
        "held",
        _held,
        marks={
            "after the hold": [zh("gap")],
            "HOLD until seen": [zh("late")],
            "WAIT for it": [zh("late")],
            "patient": [],
            "after the other hold": [en("gap")],
        },
        told={
            SYMPHONY: [en("hold"), en("hold"), en("released"), en("released")],
            WEIXIN: [zh("hold"), zh("hold"), zh("rejected"), zh("unpaired")],
        },
        acts=(
            ("HOLD until seen", "after the hold", True),
            ("WAIT for it", "", True),
            ("HOLD rejected", "after the other hold", False),
        ),
    ),
    Story(
        "watched",
        _watched,
        marks={"GATE one BELOW": [], "GATE two BELOW": [], "GATE open BELOW": []},
        told={
            SYMPHONY: [
                *[en("hold")] * 2,
                words.staff("hold", "en", 0, "desk/late", "desk"),
                words.staff("late", "en", 0, queue="desk"),
                words.staff("pass", "en", 0, "desk/names"),
            ],
            WEIXIN: [zh("hold"), zh("hold"), zh("expired"), ASK["zh"]],
        },
        facts={
            "consent:asked": 1,
            "consent:given": 1,
            "hold:lifted": 2,
            "hold:escalated": 1,
            "hold:expired": 1,
        },
        below=1,
        samples=("DRAW this",),
    ),
)
