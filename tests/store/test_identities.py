"""Who is meant: by name, address or id, across pairs that ended and messages that nobody had paired."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from story import ALICE, CONTACT, LI_LEI, REVIEWER, Story

from bridge.errors import Conflict
from bridge.message import WEIXIN, Message, Party
from bridge.ports import Batch
from bridge.search.document import Person
from bridge.search.query import parse
from bridge.store import intake
from bridge.store.directory import Directory
from bridge.store.identities import (
    Identity,
    are_one,
    conditions,
    contact_id,
    everybody,
    identities,
    pairs_of,
    the_same,
)
from bridge.store.searching import every
from bridge.store.writer import Tx


def stranger(story: Story, number: str, address: str) -> Message:
    """Something that another account writes which is called Alice Wong as well."""
    return replace(story.says("from elsewhere", address=address), sender=number)


@pytest.fixture
async def story(tmp_path: Path) -> AsyncIterator[Story]:
    """Alice and 李雷 talked as one pair, then unpaired, then as another under another name of his."""
    one = Story(tmp_path)
    await one.begin()
    await one.archive(one.answers("as a pair"), one.says("to him"))
    await one.store.end_pair(1, REVIEWER, "renamed")
    await one.archive(one.answers("while nobody had paired us"))
    await one.pair(contact=Party(WEIXIN, CONTACT, "Li Lei (new)", "", "zh-Hans"))
    await one.archive(one.answers("under the new name"), stranger(one, "7009", "x@y.example"))
    yield one
    one.store.close()


async def known(story: Story, name: str, *, whole: bool = False) -> list[Identity]:
    """Whom a name means, with every message opened."""
    anything = parse("", datetime.now(UTC), UTC)
    return await story.store.read(lambda db: identities(db, name, every(db, None, anything), whole=whole))


async def test_an_old_name_means_the_same_person_as_the_new_one(story: Story) -> None:
    """Either name, and the id, give one person with both names; the query finds all that they wrote."""
    (one,) = await known(story, "李雷")
    assert (one.network, one.id, set(one.names)) == (WEIXIN, CONTACT, {LI_LEI.name, "Li Lei (new)"})
    assert await known(story, "li lei") == await known(story, CONTACT, whole=True) == [one]
    query = parse(" OR ".join(conditions([one])), datetime.now(UTC), UTC)
    texts = await story.store.read(lambda db: {found.text for found in every(db, None, query)})
    assert texts == {"as a pair", "to him", "while nobody had paired us", "under the new name"}
    assert await story.store.read(lambda db: pairs_of(db, [one])) == [1, 2]


async def test_an_address_reaches_every_id_that_has_it(story: Story) -> None:
    """A person whose account was made anew has two ids; whoever only wrote, unpaired, is known as well."""
    await story.archive(stranger(story, "7002", ALICE.address))
    assert [one.id for one in await known(story, ALICE.address)] == ["7001", "7002"]
    assert [one.id for one in await known(story, "7001", whole=True)] == ["7001", "7002"]
    assert [one.id for one in await known(story, "x@y.example", whole=True)] == ["7009"]
    assert are_one(await known(story, ALICE.address))
    assert not are_one(await known(story, "Alice Wong", whole=True))


async def test_a_part_of_a_name_is_not_a_name(story: Story) -> None:
    """Where the whole is asked for, 李 and wong mean nobody; of nobody nothing is asked."""
    for part in ("李", "wong", "nobody"):
        assert await known(story, part, whole=True) == []
    assert [one.id for one in await known(story, "wong")] == ["7001", "7009"]
    assert conditions([]) == []
    assert contact_id("wkWealth/wmLiLei") == CONTACT


async def test_everybody_is_known_with_every_address(story: Story) -> None:
    """Ended pairs and messages of people who were never paired count, and what comes since."""
    before = {(one.id, one.address) for one in await story.store.read(everybody)}
    assert before >= {("7001", ALICE.address), (CONTACT, ""), ("7009", "x@y.example")}
    await story.archive(stranger(story, "7009", "new@y.example"))
    after = {(one.id, one.address) for one in await story.store.read(everybody)}
    assert after - before == {("7009", "new@y.example")}


async def test_what_a_transaction_took_back_hides_nobody(story: Story) -> None:
    """Whoever asks while it writes sees what it wrote; once that is undone, who writes the message that gets
    the number next is seen all the same, in a transaction that writes or one that does not."""
    note = Batch(WEIXIN, (stranger(story, "7010", "gone@y.example"),))
    seen: list[Person] = []

    def undone(tx: Tx) -> None:
        intake.archive(tx, [note], Directory(), story.store.lane, story.store.epoch)
        tx.flush()
        seen.extend(everybody(tx.db))
        raise Conflict("no")

    with pytest.raises(Conflict):
        await story.store.write(undone)
    assert "gone@y.example" in {one.address for one in seen}
    await story.archive(stranger(story, "7011", "next@y.example"))
    for ask in (story.store.write(lambda tx: everybody(tx.db)), story.store.read(everybody)):
        assert "next@y.example" in {one.address for one in await ask}


def test_who_shares_an_id_or_an_address_is_the_same() -> None:
    """From one to the next, by ids and by addresses; to have none is to share none."""
    people = [
        *(Person("symphony", "1", "", "a@x"), Person("symphony", "1", "", "B@x")),
        *(Person("symphony", "2", "", "b@x"), Person("symphony", "2", ""), Person("symphony", "3", "")),
        Person("weixin", "1", ""),
    ]
    ids, addresses = the_same(people, lambda one: one.address == "a@x")
    assert (ids, addresses) == ({("symphony", "1"), ("symphony", "2")}, {"a@x", "b@x"})
    assert the_same(people, lambda one: False) == (set(), set())
