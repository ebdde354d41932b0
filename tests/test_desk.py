"""The desk: nothing is touched by an act that is not signed, and each act asks for exactly one thing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from bridge import desk
from bridge.errors import ConfigError, Conflict


class Recorder:
    """`bridge.ports.Acts` that writes down what it is asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []

    def __getattr__(self, name: str) -> Callable[..., Awaitable[None]]:
        async def act(*args: Any, **named: Any) -> None:
            self.asked.append((name, args, named))

        return act


ACTS: dict[str, Callable[[Any, str, str], Awaitable[None]]] = {
    "release": lambda acts, person, reason: desk.release(acts, 7, person, reason),
    "reject": lambda acts, person, reason: desk.reject(acts, 7, person, reason),
    "retry": lambda acts, person, reason: desk.retry(acts, "p" * 20, person, reason),
    "drop": lambda acts, person, reason: desk.drop(acts, "p" * 20, person, reason),
}

every_act = pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)


@every_act
@pytest.mark.parametrize(
    ("person", "reason", "problems"),
    [("", "why", 1), ("carol", "", 1), (" \t", "\n", 2), ("", "", 2), ("ca\u200brol", "why", 1)],
    ids=["nobody", "no reason", "blanks", "neither", "disguised"],
)
async def test_an_unsigned_act_touches_nothing(
    act: Callable[..., Awaitable[None]], person: str, reason: str, problems: int
) -> None:
    """Every act needs a person whose name is all to be seen, and a reason; all that lacks is said at once."""
    acts = Recorder()
    with pytest.raises(ConfigError) as caught:
        await act(acts, person, reason)
    assert len(caught.value.problems) == problems
    assert acts.asked == []


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("release", ("decide_hold", (7, "carol", "why"), {"passed": True, "as_written": False})),
        ("reject", ("decide_hold", (7, "carol", "why"), {"passed": False})),
        ("retry", ("retry_delivery", ("p" * 20, "carol", "why"), {})),
        ("drop", ("drop_delivery", ("p" * 20, "carol", "why"), {})),
    ],
)
async def test_a_signed_act_is_done_once(name: str, asked: tuple[Any, ...]) -> None:
    """One act of the store, with who and why."""
    acts = Recorder()
    await ACTS[name](acts, "carol", "why")
    assert acts.asked == [asked]


async def test_masks_come_off_only_when_asked() -> None:
    """A release passes the policy's text unless the reviewer says "as written"."""
    acts = Recorder()
    await desk.release(acts, 7, "carol", "why", as_written=True)
    assert acts.asked[0][2] == {"passed": True, "as_written": True}


@every_act
async def test_a_conflict_is_not_hidden(act: Callable[..., Awaitable[None]]) -> None:
    """When somebody was faster, whoever acts hears it."""

    class Busy(Recorder):
        def __getattr__(self, name: str) -> Callable[..., Awaitable[None]]:
            async def refuse(*_: Any, **__: Any) -> None:
                raise Conflict("somebody was faster")

            return refuse

    with pytest.raises(Conflict):
        await act(Busy(), "carol", "why")
