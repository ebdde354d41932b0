"""An archive to search: many messages in two languages over a year, through the store's own doors.

Rules of this file: everything comes from a fixed seed; no two messages are alike. Half are English, two
fifths Chinese, the rest mixed; words are as frequent as in real texts (Zipf), so some are in every fifth
message and many in a handful. Each message is archived, judged, permitted and sealed as any other; only the
networks are left out: whatever may be sent counts as sent.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.cli.bench.matter import HAN, SOUNDS
from bridge.cli.progress import Tell
from bridge.message import SYMPHONY, WEIXIN, Message

if TYPE_CHECKING:
    from bridge.ports import KeyKeeper

SEED = 20260106
START = 1_735_689_600_000  # 2025-01-01, UTC, milliseconds
YEAR = 365 * 86_400_000

PAIRS = 200
TOGETHER = 200
"""Messages that one transaction archives."""
AT_ONCE = 10
"""Transactions' worth of messages that are committed at once."""

_ENGLISH, _CHINESE = 20_000, 30_000
_LENGTH = 18  # words of a message


def silent(_done: int, _total: int) -> None:
    """Nothing is told of how far an archive is."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Words with how often they come up, the most frequent first."""

    words: Sequence[str]
    weights: Sequence[float]

    def choose(self, chance: random.Random, count: int) -> list[str]:
        """`count` words, the frequent ones more often."""
        return chance.choices(self.words, cum_weights=self.weights, k=count)


def english() -> Vocabulary:
    """Words of two to four syllables."""
    chance = random.Random(SEED)
    words: dict[str, None] = {}
    while len(words) < _ENGLISH:
        words["".join(chance.choices(SOUNDS, k=chance.randint(2, 4)))] = None
    return _ranked(list(words))


def chinese() -> Vocabulary:
    """Words of one to four characters; frequent ones are mostly short, and of frequent characters."""
    chance = random.Random(SEED + 1)
    characters = _ranked(HAN)
    words: dict[str, None] = {}
    while len(words) < _CHINESE:
        length = chance.choice((1, 2, 2, 2)) if len(words) < 500 else chance.choice((2, 2, 2, 3, 4))
        words["".join(characters.choose(chance, length))] = None
    return _ranked(list(words))


def _ranked(words: Sequence[str]) -> Vocabulary:
    return Vocabulary(words, list(accumulate(1 / (rank + 2.7) for rank in range(len(words)))))


def texts(count: int) -> Iterator[str]:
    """`count` texts."""
    chance = random.Random(SEED + 2)
    latin, han = english(), chinese()
    for number in range(count):
        draw = chance.random()
        words = latin.choose(chance, _LENGTH) if draw < 0.5 or draw >= 0.9 else []
        runs = "".join(han.choose(chance, _LENGTH if draw >= 0.5 else 0))
        yield f"{' '.join(words)} {runs} {number:x}".strip()


def terms() -> dict[str, list[str]]:
    """What to look for, by kind: words of both languages that are frequent, less so, and rare."""
    latin, han = english().words, chinese().words
    of_length = {size: [word for word in han if len(word) == size] for size in (1, 2, 4)}
    return {
        "english frequent": list(latin[:20]),
        "english rare": list(latin[5000:5400:20]),
        "chinese, one character": of_length[1][:20],
        "chinese, two, frequent": of_length[2][:20],
        "chinese, two, rare": of_length[2][8000:8400:20],
        "chinese, four, rare": of_length[4][2000:2400:20],
    }


def messages(count: int) -> Iterator[tuple[int, Message]]:
    """`count` messages with the time at which each is archived, evenly over a year."""
    chance = random.Random(SEED + 3)
    for number, text in enumerate(texts(count)):
        at = START + number * YEAR // count
        pair = chance.randrange(PAIRS)
        network = SYMPHONY if chance.random() < 0.5 else WEIXIN
        chat = f"stream-{pair}" if network == SYMPHONY else f"wkDesk/wm-{pair}"
        sender = f"{7000 + pair}" if network == SYMPHONY else f"wm-{pair}"
        yield at, Message(network, f"{network}-{number}", chat, sender, at, text=text)


def fill(url: str, blobs: Path, count: int, tell: Tell = silent, *, keeper: KeyKeeper | None = None) -> None:
    """Make a store at `url` with `count` messages in it. `tell` is called with how many there are, now and
    then."""
    from bridge.store.database import create, open_engine

    create(url, START - 1, keeper=keeper)
    blobs.mkdir(mode=0o700, parents=True, exist_ok=True)
    engine = open_engine(url, keeper)
    with engine.connect().execution_options(writes=True) as db:
        _Filling(db).run(messages(count), count, tell)
    engine.dispose()


class _Filling:
    """One lane, worked without its rooms."""

    def __init__(self, db: object) -> None:
        from bridge.store.directory import Directory

        self.db, self.lane, self.epoch = db, 0, -1
        self.directory = Directory()

    def run(self, made: Iterator[tuple[int, Message]], count: int, tell: Tell) -> None:
        self._begin()
        done = 0
        while together := list(islice(made, TOGETHER * AT_ONCE)):
            with self.db.begin():
                for start in range(0, len(together), TOGETHER):
                    self._archive(together[start : start + TOGETHER])
            done += len(together)
            tell(done, count)

    def _begin(self) -> None:
        from bridge.store import acts
        from bridge.store.writer import Tx

        with self.db.begin():
            tx = Tx(self.db, lambda: START)
            epoch = acts.take_lane(tx, self.lane, "bench", 3_600_000, force=True)
            self.epoch = -1 if epoch is None else epoch
            for number in range(PAIRS):
                acts.make_pair(tx, self.lane, _pair(number), "bench", "bench")
            tx.flush()
            tx.seal()

    def _archive(self, together: Sequence[tuple[int, Message]]) -> None:
        """Archive, judge, and take as sent what was said to one side and the other."""
        from bridge.message import Batch, Cause, Outcome, Verdict
        from bridge.ports import Ruling
        from bridge.store import intake, judging
        from bridge.store.writer import Tx

        now = together[-1][0]
        tx = Tx(self.db, lambda: now)
        for network in (SYMPHONY, WEIXIN):
            mine = tuple(message for _, message in together if message.network == network)
            intake.archive(tx, [Batch(network, mine)], self.directory, self.lane, self.epoch)
        tx.flush()
        found = judging.unjudged(self.db, self.directory, self.lane, 2 * TOGETHER)
        rulings = [
            Ruling(one, Verdict(Outcome.DELIVER, Cause.DEFAULT, one.message.text), at=now) for one in found
        ]
        judging.record_rulings(tx, rulings, self.lane, self.epoch)
        tx.flush()
        self._send(tx)
        tx.flush()
        tx.seal()

    def _send(self, tx: object) -> None:
        from bridge.message import Receipt
        from bridge.ports import Attempt, Step
        from bridge.store import sending

        for network in (SYMPHONY, WEIXIN):
            claims = sending.claim(tx, self.directory, network, self.lane, self.epoch, TOGETHER)
            attempts = [
                Attempt(claim.permit, Step.SEND, claim.traffic, Receipt((f"{network}/{claim.permit.id}",)))
                for claim in claims
            ]
            if attempts:
                sending.record_attempts(tx, attempts, self.lane)


def _pair(number: int) -> dict[str, object]:
    return {
        "advisor": str(7000 + number),
        "stream": f"stream-{number}",
        "contact": f"wkDesk/wm-{number}",
        "advisor_name": f"Advisor {number}",
        "advisor_address": f"advisor.{number}@bank.example",
        "advisor_language": "en",
        "advisor_tags": ["wealth"] if number % 2 else ["equities"],
        "contact_name": f"客户{number}",
        "contact_language": "zh-Hans",
        "contact_tags": [],
    }
