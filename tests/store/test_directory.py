"""Who may talk to whom, in memory: always what the table says, found without asking it each time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rig import ALICE, CONTACT, LI_LEI, PAIR, STREAM, Clock, new_store, opened
from rig import message as said
from sqlalchemy import Connection, event

from bridge.message import SYMPHONY, WEIXIN, Party, Route
from bridge.store.database import Database
from bridge.store.directory import Directory

BOB: dict[str, object] = {**PAIR, "advisor": "7002", "advisor_name": "Bob Li", "advisor_language": "zh-HK"}

ALICE_PARTY = Party(SYMPHONY, ALICE, "Alice Wong", "alice.wong@bank.example", "en", frozenset())
LI_LEI_PARTY = Party(WEIXIN, LI_LEI, "李雷", "", "zh-Hans", frozenset())
OUTWARD = Route(ALICE_PARTY, LI_LEI_PARTY, WEIXIN, CONTACT)
INWARD = Route(LI_LEI_PARTY, ALICE_PARTY, SYMPHONY, STREAM)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Database]:
    """A store without pairs."""
    new_store(tmp_path, paired=False)
    database = opened(tmp_path, Clock())
    yield database
    database.close()


class Watched:
    """A directory, and how many statements it needed."""

    def __init__(self, store: Database) -> None:
        self.store, self.directory, self.asked = store, Directory(), 0
        event.listen(store.engine, "before_cursor_execute", self._count)

    def _count(self, *_: Any) -> None:
        self.asked += 1

    async def fresh(self) -> Directory:
        """The directory after a refresh; `asked` counts the statements of this refresh."""

        def refresh(db: Connection) -> None:
            self.asked = 0
            self.directory.refresh(db)

        await self.store.read(refresh)
        return self.directory


async def test_nobody_is_paired_in_a_new_store(store: Database) -> None:
    """Without pairs there are no routes, and that is no error."""
    directory = await Watched(store).fresh()
    assert directory.find(said(SYMPHONY, 1)) == (None, None)
    assert directory.route(1, SYMPHONY) is None
    assert directory.route(None, SYMPHONY) is None


async def test_a_pair_is_a_route_each_way(store: Database) -> None:
    """What Alice writes goes to 李雷 and what he writes to her, each as the policy is to see them."""
    number = await store.make_pair(PAIR, "carol", "onboarding")
    directory = await Watched(store).fresh()
    assert directory.find(said(SYMPHONY, 1)) == (number, OUTWARD)
    assert directory.find(said(WEIXIN, 1)) == (number, INWARD)
    assert directory.route(number, SYMPHONY) == OUTWARD
    assert directory.route(number, WEIXIN) == INWARD


@pytest.mark.parametrize("network", [SYMPHONY, WEIXIN])
@pytest.mark.parametrize("change", [{"sender": "somebody"}, {"conversation": "elsewhere"}])
async def test_a_pair_is_for_these_people_in_this_chat(
    store: Database, network: str, change: dict[str, str]
) -> None:
    """Somebody else in the same chat, or the same person elsewhere, is not paired."""
    await store.make_pair(PAIR, "carol", "onboarding")
    directory = await Watched(store).fresh()
    assert directory.find(said(network, 1, **change)) == (None, None)


async def test_networks_do_not_share_names(store: Database) -> None:
    """A contact is not found by writing from the other network under the same names."""
    await store.make_pair(PAIR, "carol", "onboarding")
    directory = await Watched(store).fresh()
    foreign = said(SYMPHONY, 1, conversation=CONTACT, sender=LI_LEI)
    assert directory.find(foreign) == (None, None)


async def test_the_first_advisor_of_a_stream_is_the_recipient(store: Database) -> None:
    """Several advisors may share a stream: each one's words go out, and the contact's come to the first."""
    first = await store.make_pair(PAIR, "carol", "onboarding")
    second = await store.make_pair(BOB, "carol", "deputy")
    watched = Watched(store)
    directory = await watched.fresh()
    number, route = directory.find(said(SYMPHONY, 1, sender="7002"))
    assert (number, route and route.sender.name) == (second, "Bob Li")
    assert directory.find(said(SYMPHONY, 1))[0] == first
    assert directory.find(said(WEIXIN, 1)) == (first, INWARD)
    await store.end_pair(first, "carol", "left")
    number, route = (await watched.fresh()).find(said(WEIXIN, 1))
    assert (number, route and route.recipient.language) == (second, "zh-HK")


async def test_an_ended_pair_is_no_route_for_new_words(store: Database) -> None:
    """After the end nobody is found; what was said before still knows where it belonged."""
    number = await store.make_pair(PAIR, "carol", "onboarding")
    watched = Watched(store)
    await watched.fresh()
    await store.end_pair(number, "carol", "left")
    directory = await watched.fresh()
    assert directory.find(said(SYMPHONY, 1)) == directory.find(said(WEIXIN, 1)) == (None, None)
    assert directory.route(number, SYMPHONY) == OUTWARD
    assert (await Watched(store).fresh()).route(number, WEIXIN) == INWARD


async def test_pairing_again_is_a_new_pair(store: Database) -> None:
    """The new pair is found with its new words; the old one keeps its own."""
    first = await store.make_pair(PAIR, "carol", "onboarding")
    await store.end_pair(first, "carol", "left")
    second = await store.make_pair({**PAIR, "contact_language": "zh-Hant"}, "carol", "back")
    directory = await Watched(store).fresh()
    number, route = directory.find(said(SYMPHONY, 1))
    assert number == second != first
    assert route is not None and route.recipient.language == "zh-Hant"
    assert directory.route(first, SYMPHONY) == OUTWARD


async def test_the_table_is_read_only_when_it_changed(store: Database) -> None:
    """A refresh costs one look at a version; the pairs are read again after a change alone."""
    await store.make_pair(PAIR, "carol", "onboarding")
    watched = Watched(store)
    await watched.fresh()
    assert watched.asked == 2
    for _ in range(3):
        await watched.fresh()
        assert watched.asked == 1
    await store.make_pair(BOB, "carol", "deputy")
    await watched.fresh()
    assert watched.asked == 2


async def test_tags_are_those_of_the_pair(store: Database) -> None:
    """Policies see the directory's labels of both people."""
    await store.make_pair({**PAIR, "advisor_tags": ["hk"], "contact_tags": ["vip", "new"]}, "carol", "why")
    _, route = (await Watched(store).fresh()).find(said(SYMPHONY, 1))
    assert route is not None
    assert (route.sender.tags, route.recipient.tags) == ({"hk"}, {"vip", "new"})
