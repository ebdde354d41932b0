"""Documents: what the archive has of a message, opened when asked, many with one query."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rig import ALICE, CONTACT, LI_LEI, Hands, message
from sqlalchemy import Connection
from story import copy_of_the_story

from bridge.message import SYMPHONY, WEIXIN, Blob, File, Inspection, Kind
from bridge.store import views
from bridge.store.database import open_engine
from bridge.store.documents import Stored, documents, last_number

REVIEWER = "bob.li@bank.example"


async def of(hands: Hands, *numbers: int) -> list[Stored]:
    """These documents, with everything that tests ask of them read inside the transaction."""
    return await hands.store.read(lambda db: [_read(one) for one in documents(db, numbers)])


NAMES = (
    *("number", "at", "sent_at", "lane", "entry", "leaf", "network", "conversation", "source_id", "kind"),
    *(
        "state",
        "pair",
        "notice_for",
        "text",
        "permitted",
        "sent",
        "quote",
        "defect",
        "sender",
        "reader",
        "files",
    ),
    *("decisions", "held", "deliveries", "edits", "recalls"),
)


def _read(document: Stored) -> Stored:
    for name in NAMES:
        getattr(document, name)
    return document


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Connection]:
    """The varied store."""
    engine = open_engine(f"sqlite:///{copy_of_the_story(tmp_path)}")
    with engine.connect() as connection, connection.begin():
        yield connection
    engine.dispose()


def test_it_says_what_everybody_else_is_told(db: Connection) -> None:
    """Every message of a varied store, held against what `audit show` says of it."""
    found = documents(db, range(1, last_number(db) + 1))
    assert len(found) == last_number(db) > 50
    for one in found:
        told = views.message(db, one.number)
        assert told is not None
        for name in ("network", "conversation", "source_id", "kind", "state", "pair", "notice_for", "text"):
            assert getattr(one, name) == told[name], name
        assert (one.at, one.sent_at, one.quote, one.defect) == tuple(
            told[name] for name in ("at", "sent_at", "quote", "defect")
        )
        assert [(file.name, file.digest) for file in one.files] == [
            (file["name"], file["digest"]) for file in told["files"]
        ]
        assert [d.verdict.outcome.value for d in one.decisions] == [v["outcome"] for v in told["verdicts"]]
        assert [(d.permit, d.state) for d in one.deliveries] == [
            (d["permit"], d["state"]) for d in told["deliveries"]
        ]
        assert (one.held.state if one.held else None) == (told["review"]["state"] if told["review"] else None)
        archived = told["entries"][0]
        assert (one.lane, one.entry, one.leaf.hex()) == (archived["lane"], archived["seq"], archived["leaf"])


def test_asking_costs_one_query_for_all(db: Connection) -> None:
    """Text costs the first query alone; decisions one more, whoever of the page asks."""
    driver: Any = db.connection.driver_connection
    traced: list[str] = []
    driver.set_trace_callback(traced.append)
    found = documents(db, range(1, 40))
    assert "".join(one.text for one in found)
    assert len(traced) == 1
    assert not any("raw" in statement for statement in traced)
    assert [one.decisions for one in found]
    assert len([one for one in traced if "FROM verdicts" in one]) == 1
    driver.set_trace_callback(None)


async def test_who_and_to_whom(hands: Hands) -> None:
    """Names as the network shows them, then as the pair has them; outside of a pair nobody reads it."""
    await hands.say(message(SYMPHONY, 1, address="a.wong@bank.example"), message(WEIXIN, 2))
    await hands.say(message(WEIXIN, 3, conversation="elsewhere", sender="wm9", sender_name="陳大文"))
    one, two, three = await of(hands, 1, 2, 3)
    assert (one.sender.id, one.sender.name, one.sender.address) == (
        ALICE,
        "Alice Wong",
        "a.wong@bank.example",
    )
    assert one.reader is not None
    assert (one.reader.network, one.reader.id, one.reader.name) == (WEIXIN, LI_LEI, "李雷")
    assert two.reader is not None
    assert two.reader.address == "alice.wong@bank.example"
    assert (three.sender.name, three.reader, three.pair) == ("陳大文", None, None)


async def test_what_was_let_out(hands: Hands) -> None:
    """The words of the permit: masked, or as a reviewer passed them; nothing of what was stopped, and nothing
    was seen before the network took it."""
    texts = ("plain", "my MASK", "a HOLD", "a BLOCK", "another HOLD")
    await hands.say(*(message(SYMPHONY, number, text) for number, text in enumerate(texts, 1)))
    await hands.store.decide_hold(3, REVIEWER, "checked", passed=True)
    found = await of(hands, 1, 2, 3, 4, 5)
    late = "［较早前发送，经审核后送达］\na HOLD"
    assert [one.permitted for one in found] == ["plain", "my ****", "a HOLD", "", ""]
    assert [one.sent for one in found] == [""] * 5
    shown = await hands.send(WEIXIN)
    found = await of(hands, 1, 2, 3, 4, 5)
    assert [one.sent for one in found] == ["plain", "my ****", late, "", ""]
    assert sorted(shown) == sorted(one.sent for one in found if one.sent)
    released = found[2].decisions
    assert [(one.person, one.why) for one in released] == [("", ""), (REVIEWER, "checked")]
    assert found[2].held is not None
    assert found[2].held.state == "released"


async def test_versions_and_what_was_taken_back(hands: Hands) -> None:
    """Edits of edits are edits of the first; a recall of any version is one of all of them."""
    await hands.say(message(SYMPHONY, 1, "first"))
    await hands.say(message(SYMPHONY, 2, "second", replaces="1"))
    await hands.say(message(SYMPHONY, 3, "third", replaces="2"), message(SYMPHONY, 4, "something else"))
    await hands.say(message(SYMPHONY, 5, "", kind=Kind.RECALL, refers_to="2"))
    found = {one.source_id: one for one in await of(hands, *range(1, 30)) if one.notice_for is None}
    number = {name: one.number for name, one in found.items()}
    assert found["1"].edits == [number["2"], number["3"]]
    assert found["2"].edits == [number["3"]]
    assert (found["3"].edits, found["4"].edits) == ([], [])
    assert [found[name].recalls for name in "1234"] == [[number["5"]]] * 3 + [[]]


async def test_what_is_in_attachments(hands: Hands) -> None:
    """What was offered, what it is, what was read in it; of what could not be had, the name."""
    await hands.archive(message(SYMPHONY, 1, files=(File("f1", "季报.txt", size=9), File("f2", "lost.pdf"))))
    first, second = await hands.store.wanted_files(SYMPHONY, 9)
    inspection = Inspection(name="季报.txt", type="txt", size=7, text="内幕")
    await hands.store.settle_file(first, Blob("ab" * 32, 7, "季报.txt"), inspection=inspection)
    await hands.store.settle_file(second, None, "gone")
    (one,) = await of(hands, 1)
    got, lost = one.files
    assert (got.name, got.kind, got.size, got.digest, got.found) == (
        "季报.txt",
        "file",
        7,
        "ab" * 32,
        inspection,
    )
    assert (lost.name, lost.size, lost.digest, lost.found) == ("lost.pdf", -1, "", None)


async def test_a_record_that_does_not_open_is_a_document_all_the_same(hands: Hands) -> None:
    """Without words, and it says so: its key was destroyed, or its bytes were changed."""
    await hands.say(message(SYMPHONY, 1, "one"), message(SYMPHONY, 2, "two"), message(SYMPHONY, 3, "three"))
    entries = dict(await hands.rows("SELECT id, entry FROM messages"))  # type: ignore[arg-type]

    def spoil(tx: object) -> None:
        run = tx.db.exec_driver_sql  # type: ignore[attr-defined]
        run(f"DELETE FROM data_keys WHERE seq = {entries[1]}")
        run(f"UPDATE content SET body = raw WHERE seq = {entries[2]}")

    await hands.store.write(spoil)
    found = await of(hands, 1, 2, 3)
    assert [(one.text, one.broken) for one in found] == [("", True), ("", True), ("three", False)]
    assert found[0].sender.id == ALICE


async def test_what_is_not_there_is_left_out(hands: Hands) -> None:
    """In the order asked for; no number, no query."""
    await hands.say(message(WEIXIN, 1), message(WEIXIN, 2))
    assert [one.number for one in await of(hands, 2, 99, 1)] == [2, 1]
    assert await of(hands) == []
    assert (await of(hands, 1))[0].conversation == CONTACT
