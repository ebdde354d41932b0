"""What may be asked about one message: its words, its people, its time, and what was said before.

Rules of this file: pure, and nothing is worked out before somebody asks for it: most messages are asked
little. Numbers of people are those of the policies' roster.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from zoneinfo import ZoneInfo

from bridge.message import Context, Message, Party
from bridge.policy.detectors import Engine, Scan
from bridge.policy.folding import Folded
from bridge.policy.members import Roster

_NOBODY: frozenset[int] = frozenset()


class Facts:
    """One message in its context at one moment. `now` has a time zone.

    `sender`, `recipient` and `people` are the numbers of the sets of people that one, the other, and both
    of them are in; `directory` is a digest of what is known about both ("" where they are no pair).
    """

    __slots__ = (
        "_body",
        "_deep",
        "_engine",
        "_plain",
        "context",
        "direction",
        "directory",
        "message",
        "now",
        "people",
        "recipient",
        "sender",
    )

    def __init__(
        self, message: Message, context: Context, now: datetime.datetime, roster: Roster, engine: Engine
    ) -> None:
        self.message = message
        self.context = context
        self.direction = context.direction
        self.now = now
        self._engine = engine
        self._body: Folded | None = None
        self._plain: Scan | None = None
        self._deep: Scan | None = None
        route = context.route
        if route is None:
            stranger = Party(message.network, message.sender, message.sender_name, message.address)
            self.sender = self.people = roster.of(stranger)
            self.recipient, self.directory = _NOBODY, ""
        else:
            self.sender, self.recipient, self.people, self.directory = roster.ends(route)

    @property
    def body(self) -> Folded:
        """The message's own text, the beginning of every scan."""
        if self._body is None:
            self._body = Folded(self.message.text)
        return self._body

    def scan(self, *, inside: bool) -> Scan:
        """Where detectors look: text, quotation and names of files; the text `inside` files if wanted."""
        if inside and any(file.text for file in self.context.inspections):
            if self._deep is None:
                self._deep = self._scan([*self._parts(), *self._inner_parts()])
            return self._deep
        if self._plain is None:
            self._plain = self._scan([*self._parts()])
        return self._plain

    def _scan(self, parts: list[Folded]) -> Scan:
        earlier = [earlier.text for earlier in self.context.earlier]
        return Scan(parts, self._engine, self.now, earlier)

    def _parts(self) -> Iterator[Folded]:
        yield self.body
        if self.message.quote:
            yield Folded(self.message.quote)
        for file in self.message.files:
            if file.name:
                yield Folded(file.name)

    def _inner_parts(self) -> Iterator[Folded]:
        return (Folded(file.text) for file in self.context.inspections if file.text)

    def local(self, zone: ZoneInfo) -> datetime.datetime:
        """The moment by the clock of `zone`."""
        return self.now.astimezone(zone)

    @property
    def conversations(self) -> list[str]:
        """The ids of the chats that the message comes from and goes to, the same both ways."""
        route = self.context.route
        chats = {self.message.conversation, route.conversation} if route else {self.message.conversation}
        return sorted(chats)
