"""What a source has against what the archive has, and each step of the house against the next.

Rules of this file: pure, and flat in memory: everything is compared window by window, and of what was seen
there is one bit a message. A comparison never stops at the first fault, and names every one by what it is
about ("message/42", "delivery/0abc...", "symphony/ID"), never by what anybody wrote.

    source ─► archive ─► verdict ─► outbox ─► sink, export
"""

from __future__ import annotations

import enum
import sys
import unicodedata
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from bridge.message import Sighting

WINDOW = 4096
"""Items of one conversation whose order is compared at once."""

LISTED = 10_000
"""Items of a list behind a count; the count is always of all."""

BUFFERED = 65_536
"""Items that may wait for a comparison of their order, of all conversations together."""


class Stage(enum.StrEnum):
    """Between which two steps something differs: the later one of them."""

    SOURCE = "source"  # what a network has, against the archive
    ARCHIVE = "archive"  # the archive, against the ledger
    VERDICT = "verdict"
    OUTBOX = "outbox"
    SINK = "sink"
    EXPORT = "export"


class What(enum.StrEnum):
    """What is wrong with one item."""

    MISSING = "missing"
    SURPLUS = "surplus"
    DUPLICATE = "duplicate"
    REORDERED = "reordered"
    ALTERED = "altered"


class Fault(NamedTuple):
    """One item that is not as it should be; `detail` is a clause in ASCII, without anything people wrote."""

    stage: Stage
    what: What
    name: str
    detail: str = ""


NOT_HAD = "the network has shown it, the archive has not got it"
"""Of what is missing of a source: to the first run that sees it, and to those after."""

# --- order and numbers ----------------------------------------------------------------------------------


def out_of_place(numbers: Sequence[Any]) -> list[int]:
    """The positions of the fewest items that have to be taken away for the rest to rise.

    What is left is a longest increasing subsequence, so a single item that was moved is named alone.
    """
    tails: list[Any] = []
    ends: list[int] = []
    before: list[int] = []
    for position, number in enumerate(numbers):
        length = bisect_left(tails, number)
        before.append(ends[length - 1] if length else -1)
        if length == len(tails):
            tails.append(number)
            ends.append(position)
        else:
            tails[length], ends[length] = number, position
    kept: set[int] = set()
    at = ends[-1] if ends else -1
    while at >= 0:
        kept.add(at)
        at = before[at]
    return [position for position in range(len(numbers)) if position not in kept]


class Numbers:
    """Numbers that count without a gap, taken in order: which are missing, come twice, or come late.

    `last` is the number before the first. What is skipped is only missing once `rest` is asked, because it
    may come late.
    """

    def __init__(self, last: int, most: int = WINDOW) -> None:
        self.last, self._most = last, most
        self._skipped: dict[int, None] = {}

    def take(self, number: int) -> What | None:
        """What is wrong with the next number, if anything."""
        if number in self._skipped:
            del self._skipped[number]
            return What.REORDERED
        if number <= self.last:
            return What.DUPLICATE
        for skipped in range(self.last + 1, min(number, self.last + 1 + self._most)):
            self._skipped[skipped] = None
        self.last = number
        return None

    def rest(self) -> list[int]:
        """The numbers that never came."""
        return list(self._skipped)


class Seen:
    """Which of the numbers `first` to `last` were seen: one bit each."""

    def __init__(self, first: int, last: int) -> None:
        self._first = first
        self._bits = bytearray((max(last - first, -1) + 8) // 8)

    def add(self, number: int) -> bool:
        """Note a number; False when it was noted before. Numbers outside of the range are never noted."""
        at, bit = divmod(number - self._first, 8)
        if not 0 <= at < len(self._bits):
            return True
        fresh = not self._bits[at] & (1 << bit)
        self._bits[at] |= 1 << bit
        return fresh

    def __contains__(self, number: int) -> bool:
        at, bit = divmod(number - self._first, 8)
        return 0 <= at < len(self._bits) and bool(self._bits[at] & (1 << bit))


# --- a source against the archive -----------------------------------------------------------------------


LATE = 60_000
"""Milliseconds after which a message that comes in was caught up with: its place says nothing."""


class Known(NamedTuple):
    """What the archive has under an id: the message's number, the digest of what it says ("" where that was
    destroyed, as it was due), when it came in, and its conversation ("" where that is not known). Number 0 is
    what was said before the bridge came."""

    number: int
    digest: str
    at: int = 0
    conversation: str = ""


class Ours(NamedTuple):
    """What may be shown in our name under a permit: a delivery's number (0 for a note of the house), the
    letters that have to be in it, the place of the entry that its first try arrived, counted from 1 (0 where
    none did), and the conversation that it goes to ("" where that is not known)."""

    number: int
    letters: str
    place: int = 0
    conversation: str = ""


def letters(text: str) -> str:
    """The words of a text, signs and all, between single spaces: networks set white space as they like, and
    how a sign is drawn. A price without its point, or behind a minus, or another emoji is another text."""
    words = unicodedata.normalize("NFC", text).translate(_DRAWN).split()
    return f" {' '.join(words)} " if words else ""


_DRAWN = dict.fromkeys((0xFE0E, 0xFE0F))


def _joined(text: str) -> str:
    """A note without its white space: it is signed, so nothing else of it can be another."""
    return "".join(letters(text).split())


def _alike(passed: str, shown: str) -> bool:
    """Whether a text is there by its letters and digits, whatever became of its signs."""
    words = "".join(filter(str.isalnum, passed))
    return bool(words) and words in "".join(filter(str.isalnum, unicodedata.normalize("NFC", shown)))


def _elsewhere(one: Sighting, conversation: str) -> bool:
    """Whether a network shows something in another conversation than the archive has it in."""
    return bool(conversation and one.conversation) and one.conversation != conversation


class _Place(NamedTuple):
    """Where an item stands: the network's time, our order, what it is called."""

    at: int
    ours: tuple[int, ...]
    name: str


class Recount:
    """One network's recount, compared with the archive as it comes.

    `messages` and `deliveries` are the ranges (first, last) of numbers that can be expected to be seen. What
    is older than `since` (milliseconds) by up to `overlap` is compared, and not counted. What is older still,
    or of `until` or later, is only noted as seen: it is another span's, and may be coming in just now.
    `passed_over` are the items that the archive has and the network could not be asked for; `lists` has, by
    the name of a count, what stands behind it.
    """

    def __init__(
        self,
        network: str,
        messages: tuple[int, int],
        deliveries: tuple[int, int],
        since: int = 0,
        until: int = sys.maxsize,
        overlap: int = 0,
    ) -> None:
        self.network = network
        self._since, self._until, self.overlap = since, until, overlap
        self.passed_over: list[str] = []
        self.lists: dict[str, list[str]] = {"duplicate": [], "excluded": []}
        self.counts: Counter[str] = Counter(collected=0, archived=0, duplicate=0, own=0)
        self.seen = Seen(*messages)
        self.arrived = Seen(*deliveries)
        self._order: defaultdict[tuple[Stage, str], list[_Place]] = defaultdict(list)
        self._waiting = 0

    def compare(
        self, sightings: Iterable[Sighting], known: Mapping[str, Known], permits: Mapping[str, Ours]
    ) -> Iterator[Fault]:
        """The faults of one window. `known` is the archive by the network's ids, `permits` what is ours."""
        for one in sightings:
            if not self._since - self.overlap <= one.at < self._until:
                self._note(one, known, permits)
            elif one.ours:
                yield from self._own(one, permits)
            else:
                yield from self._theirs(one, known)

    def _note(self, one: Sighting, known: Mapping[str, Known], permits: Mapping[str, Ours]) -> None:
        """It is there: whose clock is ahead, or what was found again hours after it was sent."""
        if found := known.get(one.id):
            self.seen.add(found.number)
        if ours := permits.get(one.permit):
            self.arrived.add(ours.number)

    def _theirs(self, one: Sighting, known: Mapping[str, Known]) -> Iterator[Fault]:
        counted = one.at >= self._since
        self.counts["collected"] += counted
        name = f"{self.network}/{one.id}"
        found = known.get(one.id)
        if found is None:
            yield Fault(Stage.SOURCE, What.MISSING, name, NOT_HAD)
            return
        if not found.number:
            self._listed("excluded", name, counted)
            return
        if not self.seen.add(found.number):
            self._listed("duplicate", f"message/{found.number} {name}", counted)
            return
        self.counts["archived"] += counted
        if found.digest and found.digest != one.digest:
            detail = f"the network says something else than message/{found.number}"
            yield Fault(Stage.SOURCE, What.ALTERED, name, detail)
        if _elsewhere(one, found.conversation):
            detail = f"the network has it in another conversation than message/{found.number}"
            yield Fault(Stage.SOURCE, What.ALTERED, name, detail)
        if found.at - one.at <= LATE:
            place = _Place(one.at, (found.number,), f"message/{found.number}")
            yield from self._placed(Stage.SOURCE, one.conversation, place)

    def _listed(self, count: str, name: str, counted: bool) -> None:
        """One more of a count that has its list, which goes on for `LISTED` items."""
        self.counts[count] += counted
        if counted and len(self.lists[count]) < LISTED:
            self.lists[count].append(name)

    def _own(self, one: Sighting, permits: Mapping[str, Ours]) -> Iterator[Fault]:
        self.counts["own"] += one.at >= self._since
        ours = permits.get(one.permit)
        if ours is None or not (ours.number or _joined(ours.letters) == _joined(one.text)):
            detail = "said in the name of the bridge, by no permit of its"
            yield Fault(Stage.OUTBOX, What.SURPLUS, f"{self.network}/{one.id}", detail)
        elif ours.number:
            yield from self._delivered(one, ours)

    def _delivered(self, one: Sighting, ours: Ours) -> Iterator[Fault]:
        name = f"delivery/{one.permit}"
        if ours.letters not in letters(one.text):
            only = " (its letters, and not its signs)" if _alike(ours.letters, one.text) else ""
            yield Fault(Stage.OUTBOX, What.ALTERED, name, f"the network does not show what passed{only}")
        if _elsewhere(one, ours.conversation):
            detail = "the network shows it in another conversation than it was permitted for"
            yield Fault(Stage.OUTBOX, What.ALTERED, name, detail)
        if not self.arrived.add(ours.number):
            yield Fault(Stage.OUTBOX, What.DUPLICATE, name, f"again as {one.id}")
        elif ours.place:
            place = _Place(one.at, (ours.place, ours.number), name)
            yield from self._placed(Stage.OUTBOX, one.conversation, place)

    def _placed(self, stage: Stage, conversation: str, place: _Place) -> Iterator[Fault]:
        """One more item whose order is to be compared."""
        places = self._order[stage, conversation]
        places.append(place)
        self._waiting += 1
        if self._waiting >= BUFFERED or len(places) >= WINDOW:
            yield from self.rest()

    def rest(self) -> Iterator[Fault]:
        """What is out of order among what has not been compared for that yet. What came at the same moment
        has no order."""
        for (stage, _), places in self._order.items():
            places.sort()
            for position in out_of_place([one.ours for one in places]):
                detail = "the network has it in another order"
                yield Fault(stage, What.REORDERED, places[position].name, detail)
        self._order.clear()
        self._waiting = 0


# --- what the ledger testifies against what the tables say ----------------------------------------------

Row = Mapping[str, object]


def against(stage: Stage, name: str, said: Row, row: Row | None) -> Iterator[Fault]:
    """A row against what its entry `said` of it."""
    if row is None:
        yield Fault(stage, What.MISSING, name, "the ledger testifies to it, the table has not")
        return
    wrong = [column for column, value in said.items() if row[column] != value]
    if wrong:
        yield Fault(stage, What.ALTERED, name, f"{', '.join(wrong)}: not as the ledger testifies")


WAITING = frozenset({"new", "fetching"})
"""The states of messages that nobody has decided about."""


def rising(stage: Stage, name: str, rows: Sequence[tuple[object, int]]) -> Iterator[Fault]:
    """Rows in the order of their numbers, each with the place of the entry that testifies to it: those whose
    places do not rise."""
    for position in out_of_place([place for _, place in rows]):
        yield Fault(stage, What.REORDERED, f"{name}/{rows[position][0]}", "not in the order of the ledger")
