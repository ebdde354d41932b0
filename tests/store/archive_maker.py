"""Archives to search, made through the store's own doors from a seed; queries about them; the truth.

Rules of this file: English, Simplified, Traditional, mixed, emoji and names; attachments with text inside;
holds released, refused and waiting; edits and recalls; over three months. The truth is every document, opened
and tried, without any index.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime

from rig import CONTACT, STREAM, Hands, message
from sqlalchemy import Connection

from bridge.message import SYMPHONY, WEIXIN, Blob, File, Inspection, Kind, Message
from bridge.search.query import Query, parse
from bridge.store.documents import documents, last_number
from bridge.store.index import Index
from bridge.store.searching import search

WORDS = (
    *("rates", "Figures", "announcement", "O'Neill", "0700.HK", "MASK", "HOLD", "BLOCK", "ok", "café"),
    *("内幕消息", "腾讯", "騰訊", "收購", "收购要约", "明天", "貨幣政策", "货币", "A股", "李雷", "股"),
    *("😀", "👨\u200d👩\u200d👧", "Alice", "ＩＰＯ"),
)
DAY = 86_400_000
NOW = datetime(2026, 4, 1, tzinfo=UTC)


async def fill(hands: Hands, count: int, seed: int) -> None:
    """Let the two people write `count` messages within three months, and somebody decide about some."""
    chance = random.Random(seed)
    sent: dict[str, list[str]] = {SYMPHONY: [], WEIXIN: []}
    for number in range(count):
        hands.clock.forward(chance.randrange(1, 2 * 85 * DAY // count))
        one = _message(chance, number, sent)
        sent[one.network].append(one.id)
        await hands.archive(one)
        if one.files:
            await _settle(hands, one, chance)
        if chance.random() < 0.8:
            await hands.judge()
        if chance.random() < 0.3:
            await _act(hands, chance)
    await hands.send(WEIXIN)


def _message(chance: random.Random, number: int, sent: dict[str, list[str]]) -> Message:
    network = chance.choice((SYMPHONY, WEIXIN))
    between = chance.choice(("", " ", ", ", "。"))
    text = between.join(chance.choices(WORDS, k=chance.randint(1, 7)))
    more: dict[str, object] = {"conversation": STREAM if network == SYMPHONY else CONTACT}
    draw = chance.random()
    if draw < 0.1:
        more |= {"conversation": f"other-{number % 3}", "sender": "9999", "sender_name": "陳大文"}
    elif draw < 0.2 and sent[network]:
        more["replaces"] = chance.choice(sent[network])
    elif draw < 0.25 and sent[network]:
        more |= {"refers_to": chance.choice(sent[network]), "kind": Kind.RECALL}
        text = ""
    elif draw < 0.35:
        more["files"] = (File(f"f{number}", f"{chance.choice(WORDS)}-{number}.txt"),)
    elif draw < 0.4:
        more["quote"] = chance.choice(WORDS)
    return message(network, f"{network}-{number}", text, **more)


async def _settle(hands: Hands, one: Message, chance: random.Random) -> None:
    for wanted in await hands.store.wanted_files(one.network, 9):
        found = Inspection(name=wanted.file.name, type="txt", size=7, text=chance.choice(WORDS))
        await hands.store.settle_file(wanted, Blob("ab" * 32, 7, wanted.file.name), inspection=found)


async def _act(hands: Hands, chance: random.Random) -> None:
    held = [number for number, state in (await hands.states("messages")).items() if state == "held"]
    paired = dict(await hands.rows("SELECT id, pair FROM messages"))  # type: ignore[arg-type]
    held = [number for number in held if paired[number]]
    if held:
        passed = chance.random() < 0.6
        await hands.store.decide_hold(
            chance.choice(held), "bob.li@bank.example", "已核對 checked", passed=passed
        )


def queries(count: int, seed: int) -> list[Query]:
    """`count` queries about such archives."""
    chance = random.Random(seed)
    return [parse(_query(chance), NOW, UTC) for _ in range(count)]


def _query(chance: random.Random) -> str:
    parts = [_condition(chance) for _ in range(chance.choice((1, 1, 1, 2, 2, 3)))]
    joined = chance.choice((" ", " ", " OR ")).join(parts)
    return joined + chance.choice(("", "", " sort:oldest") if " OR " not in joined else ("",))


def _condition(chance: random.Random) -> str:
    word = chance.choice([word for word in WORDS if '"' not in word])
    start = chance.randrange(len(word))
    part = word[start : start + chance.randint(1, 3)] if not word.isascii() else word
    other = chance.choice(WORDS)
    made = chance.choice(
        (
            *(f'"{word}"', f'"{part}"', f'text:"{part}"', f'"{word} {other}"', f'sent:"{word}"'),
            *(f'inside:"{part}"', f'file:"{word}"', f'quote:"{word}"', "from:alice", "to:李", "from:9999"),
            *("reviewer:bob", "is:held", "is:released", "is:rejected", "is:edited", "is:recalled", "is:new"),
            *("has:attachment", "kind:recall", "dir:to_weixin", "action:hold,block", "is:unpaired"),
            *(
                "during:2026-02",
                "after:2026-01-20 before:2026-03-05",
                "id:5..30",
                "reason:核对",
                "in:other-1",
            ),
            *(
                "is:delivered",
                "lang:zh-hant",
                "type:txt",
                "with:陈大文",
                "is:notice",
                f'near("{word}","{other}",9)',
            ),
        )
    )
    return f"-({made})" if chance.random() < 0.15 else made


def truth(db: Connection, query: Query) -> list[int]:
    """The numbers of all documents that `query` accepts, in its order."""
    found = [one.number for one in documents(db, range(1, last_number(db) + 1)) if query.accepts(one)]
    return found[::-1] if query.newest_first else found


def numbers(found: Sequence[object]) -> list[int]:
    """The numbers of documents."""
    return [one.number for one in found]  # type: ignore[attr-defined]


def paged(db: Connection, index: Index, query: object, size: int) -> list[int]:
    """The numbers of all that is found, a page at a time."""
    found: list[int] = []
    while True:
        page = search(db, index, query, size, found[-1] if found else 0)  # type: ignore[arg-type]
        found += numbers(page.documents)
        if not page.more:
            return found
        assert len(page.documents) == size
