"""States that change after a message was judged: what `is:` may ask.

Rules of this file: one row for each state, with what it means. The store knows most of them by its own
tables (`Live`); those that never change are also words of the index (`SETTLED`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from bridge.flow import DeliveryState, MessageState
from bridge.search.document import Document


class State(NamedTuple):
    """One state: what it means, and how a document shows it."""

    meaning: str
    holds: Callable[[Document], bool]


def _message(*states: MessageState) -> Callable[[Document], bool]:
    return lambda document: document.state in states


def _delivery(state: DeliveryState) -> Callable[[Document], bool]:
    return lambda document: any(one.state == state for one in document.deliveries)


def _expired(document: Document) -> bool:
    return document.held is not None and document.held.state == "expired"


def _late(document: Document) -> bool:
    held = document.held
    return held is not None and (held.late_at > 0 or held.decided_at > held.due_at > 0)


def _reviewed(document: Document) -> bool:
    return any(decided.person for decided in document.decisions)


STATES: Mapping[str, State] = {
    "new": State("not judged yet", _message(MessageState.NEW, MessageState.FETCHING)),
    "passed": State("let through by the policy", _message(MessageState.PASSED)),
    "held": State("waits for a reviewer now", _message(MessageState.HELD)),
    "released": State("let through by a reviewer", _message(MessageState.RELEASED)),
    "rejected": State("refused by a reviewer", _message(MessageState.REJECTED)),
    "blocked": State("never goes on", _message(MessageState.BLOCKED)),
    "expired": State("held, and nobody decided in time", _expired),
    "late": State("decided after its time, or still not decided", _late),
    "reviewed": State("somebody decided about it by hand", _reviewed),
    "unreviewed": State("nobody decided about it by hand", lambda d: not _reviewed(d)),
    "edited": State(
        "its sender changed it later",
        lambda d: bool(d.edits),
    ),
    "recalled": State(
        "its sender took it back",
        lambda d: bool(d.recalls) or d.state == MessageState.RECALLED,
    ),
    "noted": State("a remark of the network's: archived, not relayed", _message(MessageState.NOTED)),
    "delivered": State("the other network has it", _delivery(DeliveryState.SENT)),
    "waiting": State("the reply window is closed", _delivery(DeliveryState.WAITING)),
    "parked": State("refused, or tried too often: a person decides", _delivery(DeliveryState.PARKED)),
    "failed": State("the network says that it never arrived", _delivery(DeliveryState.FAILED)),
    "dropped": State("will never be sent", _delivery(DeliveryState.DROPPED)),
    "notice": State("words of the bridge itself", lambda d: d.notice_for is not None),
    "unpaired": State("written outside of an approved pair", lambda d: d.pair is None),
}

#: Known when a message is archived, and for good.
SETTLED = ("notice", "unpaired")


def settled(document: Document) -> tuple[str, ...]:
    """The settled states of a document."""
    return tuple(name for name in SETTLED if STATES[name].holds(document))
