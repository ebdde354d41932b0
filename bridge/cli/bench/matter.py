"""What the policy bench weighs: messages, words, patterns and requests, the same in every run.

Rules of this file: everything comes from fixed seeds; no two messages are alike. Entries are four fifths
words and one fifth patterns, half English and half Chinese, and one message in ten holds one of them.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

SIZE = 200
"""Characters of a message."""
SEED = 20260105
SOUNDS = [first + second for first in "bdfklmnprst" for second in "aeiou"]
HAN = [bytes((row, cell)).decode("gb2312") for row in range(0xB0, 0xD7) for cell in range(0xA1, 0xFA)]
"""The 3,471 most frequent characters: nearly all of the first level of GB 2312."""
DESKS, FIRMS = 20, 50


@dataclass(frozen=True, slots=True)
class Entries:
    """What is looked for: words as people write them, and patterns without look-around or groups."""

    words: list[str]
    patterns: list[str]

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.words) + len(self.patterns)


def entries(count: int) -> Entries:
    """`count` words and patterns, no two alike; those of a smaller count are among those of a larger one."""
    chance = random.Random(SEED)
    words: dict[str, None] = {}
    while len(words) < count * 4 // 5:
        words[_english(chance) if len(words) % 2 else _chinese(chance)] = None
    patterns = [_pattern(number) for number in range(count - len(words))]
    return Entries(list(words), patterns)


def _english(chance: random.Random) -> str:
    return "".join(chance.choices(SOUNDS, k=4)) + " " + "".join(chance.choices(SOUNDS, k=3))


def _chinese(chance: random.Random) -> str:
    return "".join(chance.choices(HAN, k=4))


def _pattern(number: int) -> str:
    """A reference of one of two kinds, as firms number their accounts and deals."""
    if number % 2:
        return f"合同{number:04d}号[0-9]{{4,6}}"
    return f"ref{number:04d}-[a-z]{{2}}[0-9]{{4}}"


def example(pattern_number: int) -> str:
    """A text that the pattern of this number finds."""
    if pattern_number % 2:
        return f"合同{pattern_number:04d}号20261"
    return f"ref{pattern_number:04d}-ab2026"


def messages(count: int, sought: Entries) -> list[str]:
    """`count` messages of `SIZE` characters, no two alike, half of them English and half Chinese."""
    chance = random.Random(SEED + 1)
    made = []
    for number in range(count):
        filler = _prose(chance, english=number % 2 == 0)
        held = _held(chance, sought) if number % 10 == 0 else ""
        at = chance.randrange(20, SIZE - 40)
        made.append(f"{number} {filler[:at]} {held} {filler[at:]}"[:SIZE])
    return made


def _held(chance: random.Random, sought: Entries) -> str:
    if sought.patterns and chance.random() < 0.2:
        return example(chance.randrange(len(sought.patterns)))
    return chance.choice(sought.words)


def _prose(chance: random.Random, *, english: bool) -> str:
    if english:
        words = ("".join(chance.choices(SOUNDS, k=chance.randint(1, 4))) for _ in range(SIZE // 4))
        return " ".join(words)[:SIZE]
    return "".join(chance.choices(HAN, k=SIZE))


# --- requests of an attribute policy --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wall:
    """One rule: this desk sends this firm nothing as large as `size` bytes outside `start` to `end` o'clock.

    `edited` restricts it to messages that replace an earlier one.
    """

    desk: int
    firm: int
    start: int
    end: int
    size: int
    edited: bool

    def stops(self, request: Request) -> bool:
        """The plain meaning, which every engine's answer must equal."""
        return (
            (request.desk, request.firm) == (self.desk, self.firm)
            and not self.start <= request.hour < self.end
            and request.size > self.size
            and request.edited == self.edited
        )


@dataclass(frozen=True, slots=True)
class Request:
    """Somebody of a desk sends a file of `size` bytes to somebody of a firm, at a full hour."""

    desk: int
    firm: int
    hour: int
    size: int
    edited: bool


def walls(count: int) -> list[Wall]:
    """`count` rules."""
    chance = random.Random(SEED + 2)
    return [
        Wall(
            chance.randrange(DESKS), chance.randrange(FIRMS), chance.randint(6, 10), chance.randint(16, 20),
            chance.choice((1, 2, 5)) << 20, chance.random() < 0.5,
        )
        for _ in range(count)
    ]  # fmt: skip


def requests(count: int, rules: list[Wall]) -> list[Request]:
    """`count` requests; one in ten is between a desk and a firm that some rule names."""
    chance = random.Random(SEED + 3)
    made = []
    for number in range(count):
        desk, firm = chance.randrange(DESKS), chance.randrange(FIRMS)
        if number % 10 == 0:
            named = chance.choice(rules)
            desk, firm = named.desk, named.firm
        made.append(
            Request(desk, firm, chance.randrange(24), chance.randrange(8 << 20), chance.random() < 0.5)
        )
    return made
