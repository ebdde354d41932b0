"""A room gets the very note, under a key by which its echo is known, and what a network says is told."""

from __future__ import annotations

import pytest

from bridge.errors import Refused, SignedOut, Unreachable, Unwitnessed
from bridge.store.signing import drawn
from bridge.witnesses.room import Room

NOTE = drawn().sign(2, 7, bytes(32))


async def look(stream: str) -> str:
    """Nothing is wrong."""
    return f"member of {stream}"


async def test_a_room_gets_the_note_letter_by_letter() -> None:
    """The stream without the kind in front, a key of lane and size, and the id as what is kept."""
    posted: list[tuple[str, str, str]] = []

    async def post(*what: str) -> str:
        posted.append(what)  # type: ignore[arg-type]
        return "message-1"

    room = Room("symphony:abc_d-e", 3600.0, post, look)
    assert await room.leave(2, 7, NOTE) == b"message-1"
    assert posted == [("abc_d-e", "checkpoint/2/7", NOTE)]
    assert await room.newest(2) is None
    assert await room.check() == "member of abc_d-e"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Unreachable("The agent is away.", certain=False), "Unreachable"),
        (Refused("not-member", "Not a member."), "not-member"),
        (SignedOut("Refused.", remedy="Look at the key."), "SignedOut"),
    ],
)
async def test_whatever_the_network_says_ends_here(error: Exception, code: str) -> None:
    """A room that cannot be written to is a place like any other that is away."""

    async def fail(*_: str) -> str:
        raise error

    for attempt in (
        Room("symphony:a", 1.0, fail, fail).leave(2, 7, NOTE),
        Room("symphony:a", 1.0, fail, fail).check(),
    ):
        with pytest.raises(Unwitnessed, match="symphony:a: ") as told:
            await attempt
        assert told.value.code == code
