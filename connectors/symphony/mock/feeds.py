"""Datafeeds and datahoses: queues that keep what was handed out until it is acknowledged.

A batch that is read goes in flight under its ackId. The ackId sent with a later read frees it; without one it
returns to the head of the queue after the redelivery time. Pure state: times are arguments, in seconds of the
pod's clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

import orjson

from connectors.symphony.mock.clock import Signal
from connectors.symphony.mock.directory import User

MAX_FEEDS = 20
"""Active feeds per account (agent specification, 403 of the read)."""

SCOPES = frozenset(("INTERNAL", "EXTERNAL", "FEDERATED"))
"""What a datahose can be narrowed to."""


class FeedRefusal(ValueError):
    """A read that the agent answers with 400: the feed is gone or the ackId is not one of its own."""


@dataclass(frozen=True, slots=True)
class PodEvent:
    """One event as it is queued: its JSON ready to send, with what filters look at."""

    kind: str
    scope: str
    json: orjson.Fragment


@dataclass(eq=False)
class Feed:
    """One feed of one account; several readers share it, each event going to one of them."""

    feed_id: str
    owner: User
    tag: str | None
    created_at: float
    kind: str = "fanout"
    event_types: frozenset[str] = frozenset()
    scopes: frozenset[str] = SCOPES
    last_read: float = 0.0
    news: Signal = field(default_factory=Signal)
    _queue: deque[PodEvent] = field(default_factory=deque)
    _in_flight: dict[int, tuple[float, list[PodEvent]]] = field(default_factory=dict)
    _issued: int = 0

    def view(self) -> dict[str, object]:
        """V5Datafeed."""
        return {"id": self.feed_id, "createdAt": int(self.created_at * 1000), "type": self.kind}

    def wants(self, event: PodEvent) -> bool:
        """Whether a datahose's filters let the event pass."""
        return event.kind in self.event_types and event.scope in self.scopes

    def put(self, event: PodEvent) -> None:
        """Queue an event and wake whoever waits for one."""
        self._queue.append(event)
        self.news.ring()

    def acknowledge(self, ack_id: str) -> None:
        """Free the batch of `ack_id`; an empty one frees nothing, one already used is accepted again.

        Raises FeedRefusal when this feed never gave it out.
        """
        if not ack_id:
            return
        stem, _, number = ack_id.rpartition(".")
        if stem != self.feed_id or not number.isdecimal() or int(number) > self._issued:
            raise FeedRefusal("Could not parse ackId")
        self._in_flight.pop(int(number), None)

    def return_late(self, now: float) -> None:
        """Put batches whose redelivery time has come back at the head of the queue, oldest first."""
        late = [number for number, (due, _) in self._in_flight.items() if due <= now]
        for number in sorted(late, reverse=True):
            self._queue.extendleft(reversed(self._in_flight.pop(number)[1]))

    def take(self, now: float, *, redeliver_after: float, limit: int) -> list[PodEvent]:
        """Hand out up to `limit` events; they are in flight until acknowledged."""
        self.return_late(now)
        batch = [self._queue.popleft() for _ in range(min(limit, len(self._queue)))]
        if batch:
            self._in_flight[self._issued + 1] = (now + redeliver_after, batch)
        return batch

    def put_back(self, events: Iterable[PodEvent]) -> None:
        """Queue events that were handed out once more, behind what waits."""
        self._queue.extend(events)

    def next_ack_id(self) -> str:
        """The ackId of the batch just taken (or of an empty answer)."""
        self._issued += 1
        return f"{self.feed_id}.{self._issued}"

    def next_return(self) -> float | None:
        """When the next in-flight batch comes back, or None."""
        return min((due for due, _ in self._in_flight.values()), default=None)

    @property
    def waiting(self) -> int:
        """How many events are queued or in flight."""
        return len(self._queue) + sum(len(batch) for _, batch in self._in_flight.values())


class FeedDesk:
    """All feeds of the pod, by id and by account."""

    def __init__(self, life_seconds: float) -> None:
        self._life = life_seconds
        self._feeds: dict[str, Feed] = {}
        self._by_owner: dict[int, list[Feed]] = {}
        self._datahoses: list[Feed] = []

    def open(self, feed: Feed) -> Feed:
        """Register a feed."""
        feed.last_read = feed.created_at
        self._feeds[feed.feed_id] = feed
        if feed.kind == "datahose":
            self._datahoses.append(feed)
        else:
            self._by_owner.setdefault(feed.owner.user_id, []).append(feed)
        return feed

    def get(self, feed_id: str, owner: User, now: float) -> Feed:
        """The account's feed of that id. Raises FeedRefusal when it is unknown, another's, or expired."""
        feed = self._feeds.get(feed_id)
        if feed is None or feed.owner is not owner or self._expired(feed, now):
            raise FeedRefusal("The datafeed was not found or has expired")
        return feed

    def of(self, owner: User, now: float, tag: str | None = None) -> list[Feed]:
        """The account's live feeds, narrowed to a tag if one is given."""
        live = [feed for feed in tuple(self._by_owner.get(owner.user_id, ())) if not self._expired(feed, now)]
        return [feed for feed in live if not tag or feed.tag == tag]

    def datahose(self, like: Feed, now: float) -> Feed:
        """The live datahose with account, tag and filters of `like`, which is opened if there is none."""
        for feed in tuple(self._datahoses):
            same = (feed.owner, feed.tag, feed.event_types, feed.scopes) == (
                like.owner,
                like.tag,
                like.event_types,
                like.scopes,
            )
            if same and not self._expired(feed, now):
                return feed
        return self.open(like)

    def close(self, feed: Feed) -> None:
        """Forget a feed with all it holds, and let its readers notice."""
        self._feeds.pop(feed.feed_id, None)
        for feeds in (self._by_owner.get(feed.owner.user_id, []), self._datahoses):
            if feed in feeds:
                feeds.remove(feed)
        feed.news.ring()

    def is_open(self, feed: Feed) -> bool:
        """Whether the feed still exists."""
        return self._feeds.get(feed.feed_id) is feed

    def publish(self, event: PodEvent, recipients: Iterable[User], now: float) -> None:
        """Queue an event for every live feed of the recipients and for every datahose that wants it."""
        for user in recipients:
            for feed in tuple(self._by_owner.get(user.user_id, ())):
                if not self._expired(feed, now):
                    feed.put(event)
        for feed in tuple(self._datahoses):
            if feed.wants(event) and not self._expired(feed, now):
                feed.put(event)

    def _expired(self, feed: Feed, now: float) -> bool:
        if feed.last_read + self._life > now:
            return False
        self.close(feed)
        return True
