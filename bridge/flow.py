"""States as tables: what may become of a message, of a delivery, of a hold.

Rules of this file: pure. A step that is not in a table is a bug or two people at once, never a case to
be handled. The store writes states only through `after`.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from bridge.errors import Conflict


class MessageState(enum.StrEnum):
    """Where a message stands."""

    FETCHING = "fetching"  # archived; its attachments are still being fetched
    NEW = "new"  # archived whole; not judged
    PASSED = "passed"  # judged; a permit was made
    HELD = "held"  # judged; waits for a person
    BLOCKED = "blocked"  # judged; never goes on
    RELEASED = "released"  # a person let it pass
    REJECTED = "rejected"  # a person refused it
    NOTED = "noted"  # a network's remark: archived only
    RECALLED = "recalled"  # its sender took it back before it went on


class DeliveryState(enum.StrEnum):
    """Where one permit stands."""

    READY = "ready"  # may be claimed once its time has come
    CLAIMED = "claimed"  # somebody with a lease is sending it
    WAITING = "waiting"  # the reply window is closed
    SENT = "sent"  # the network has it
    PARKED = "parked"  # refused, or tried too often: a person decides
    FAILED = "failed"  # sent, but the network says that it never arrived
    DROPPED = "dropped"  # will never be sent


State = TypeVar("State", MessageState, DeliveryState)

M, D = MessageState, DeliveryState

MESSAGE_STEPS: dict[tuple[MessageState, str], MessageState] = {
    (M.FETCHING, "settle"): M.NEW,
    (M.NEW, "pass"): M.PASSED,
    (M.NEW, "hold"): M.HELD,
    (M.NEW, "block"): M.BLOCKED,
    (M.NEW, "note"): M.NOTED,
    (M.NEW, "recall"): M.RECALLED,  # it waited behind a hold, and was taken back there
    (M.HELD, "release"): M.RELEASED,
    (M.HELD, "reject"): M.REJECTED,
    (M.HELD, "recall"): M.RECALLED,
    (M.HELD, "lift"): M.NEW,  # what it waited for is there: it is judged again
    (M.HELD, "expire"): M.BLOCKED,  # nobody decided in time
}

DELIVERY_STEPS: dict[tuple[DeliveryState, str], DeliveryState] = {
    (D.READY, "claim"): D.CLAIMED,
    (D.CLAIMED, "send"): D.SENT,
    (D.CLAIMED, "retry"): D.READY,
    (D.CLAIMED, "give back"): D.READY,
    (D.CLAIMED, "wait"): D.WAITING,
    (D.CLAIMED, "park"): D.PARKED,
    (D.WAITING, "open"): D.READY,
    (D.READY, "drop"): D.DROPPED,
    (D.WAITING, "drop"): D.DROPPED,
    (D.WAITING, "retry"): D.READY,
    (D.SENT, "fail"): D.FAILED,
    (D.FAILED, "drop"): D.DROPPED,
    (D.PARKED, "retry"): D.READY,
    (D.PARKED, "drop"): D.DROPPED,
}

#: Deliveries that are not finished: they keep later ones of their conversation behind them.
OPEN = (D.READY, D.CLAIMED, D.WAITING)

#: Deliveries about which nothing more will be done unless somebody asks for it anew.
ENDED = (D.SENT, D.FAILED, D.DROPPED)

#: The states in which a delivery may be whose last entry in the ledger is of a kind.
TESTIFIED: Mapping[str, tuple[DeliveryState, ...]] = {
    "delivery:permitted": (D.READY, D.CLAIMED),
    "delivery:sent": (D.SENT,),
    "delivery:found": (D.SENT,),
    "delivery:waiting": (D.WAITING, D.READY, D.CLAIMED),  # a window that opens leaves no entry
    "delivery:parked": (D.PARKED,),
    "delivery:failed": (D.FAILED,),
    "delivery:retried": (D.READY, D.CLAIMED, D.DROPPED),  # what arrived nowhere goes by another permit
    "delivery:dropped": (D.DROPPED,),
}


def after(state: State, step: str) -> State:
    """The state that `step` leads to. Raises Conflict when it cannot be taken from `state`."""
    table = MESSAGE_STEPS if isinstance(state, MessageState) else DELIVERY_STEPS
    try:
        return table[(state, step)]
    except KeyError:
        raise Conflict(f"cannot {step} what is {state.value}") from None


def sources(step: str, table: dict) -> tuple[enum.StrEnum, ...]:
    """The states from which `step` may be taken: what an UPDATE names in its WHERE."""
    return tuple(state for (state, name) in table if name == step)


_OUTCOMES = {
    **dict.fromkeys(("deliver", "annotate", "redact"), M.PASSED),
    "hold": M.HELD,
    "block": M.BLOCKED,
}

_TESTIMONY = {
    "message:noted": M.NOTED,
    "message:recalled": M.RECALLED,
    "notice:archived": M.PASSED,
    "hold:released": M.RELEASED,
    "hold:rejected": M.REJECTED,
    "hold:expired": M.BLOCKED,
    "hold:lifted": M.NEW,
}


def became(
    steps: Iterable[tuple[str, Mapping[str, Any]]], begun: MessageState = M.NEW
) -> MessageState | None:
    """Where the ledger says that a message stands: `steps` are kind and facts of the entries about it, in
    their order; `begun` is what it was before any. None after an outcome that nobody knows.

    A verdict that another entry caused (an edit, a reviewer's words: it is `by` that entry) moves nothing,
    nor does one on what has passed.
    """
    state: MessageState | None = begun
    for kind, facts in steps:
        if kind == "message:judged" and "by" not in facts and state != M.PASSED:
            state = _OUTCOMES.get(str(facts.get("outcome")))
        state = _TESTIMONY.get(kind, state)
    return state


LONGEST_PAUSE = 43_200_000
"""Milliseconds after which whoever asked for more time is asked again."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to go on trying: `first` and `longest` pause in milliseconds, `tries` in all."""

    first: int = 500
    longest: int = 300_000
    tries: int = 20


def retry_at(now: int, attempt: int, patience: Patience, retry_after: float | None = None) -> int | None:
    """When to try again after the `attempt`-th failure, in milliseconds; None when it is enough.

    The pause doubles up to the longest. A network that names its own pause (`retry_after`, seconds) is
    given at least that, up to `LONGEST_PAUSE`.
    """
    if attempt >= patience.tries:
        return None
    pause = min(patience.first << min(attempt - 1, 20), patience.longest)
    return now + int(min(max(pause, (retry_after or 0) * 1000), LONGEST_PAUSE))
