"""How large a store is: counted alike on both engines, and without a key."""

from __future__ import annotations

from rig import CONTACT, Hands, message
from sqlalchemy import update

from bridge.message import WEIXIN
from bridge.store import schema as s
from bridge.store.sizes import sizes
from bridge.store.writer import CLOSED


async def test_rows_and_bytes_are_counted(hands: Hands, engine: str) -> None:
    """Rows of every table, entries of every lane, the time of the newest; on a server, bytes by table too."""
    await hands.say(message(WEIXIN, 1), message(WEIXIN, 2, conversation=CONTACT))
    found = await hands.store.read(sizes)
    assert found.engine.lower() == engine and found.version[0].isdigit()
    assert set(found.rows) == set(s.metadata.tables)
    assert found.rows["messages"] == 2 and found.rows["ledger"] == found.entries
    assert found.total > 100_000 and found.index == 0 and found.closed == ""
    assert found.last_at == (await hands.entries())[-1].at
    if engine == "postgresql":
        assert all(found.bytes[name] > 0 for name in ("ledger", "messages", "content"))
    else:
        assert found.bytes == {}


async def test_a_closed_store_says_why(hands: Hands, engine: str) -> None:
    """What keeps everybody from writing is told to whoever asks."""
    why = f"{CLOSED}it was moved"
    await hands.store.write(lambda tx: tx.db.execute(update(s.lanes).values(owner=why)).rowcount)
    assert (await hands.store.read(sizes)).closed == "it was moved"
