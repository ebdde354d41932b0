"""Sealed at rest: nothing that people wrote, nor who they are, stands in any file of an installation.

The texts are looked for in every encoding that a program might have used, in every file: the database, its
log, attachments, whatever else lies there.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from rig import CONTACT, STREAM, Clock, Hands, message, new_store, opened
from sqlalchemy import select
from story import copy_of_the_story

from bridge.errors import ConfigError, KeyMissing, StoreError
from bridge.keepers import KeyFile
from bridge.message import SYMPHONY, WEIXIN, Blob, File, Inspection, Kind
from bridge.store import schema as s
from bridge.store import views
from bridge.store.database import open_engine
from bridge.store.directory import Directory
from bridge.store.signing import verifiers
from bridge.store.vault import Sealed, vault_of
from bridge.store.verify import Finding, Summary, verify

LATIN = "Quarterly figures before the announcement"
CHINESE = "收购消息尚未公布请勿外传"
FILE_NAME = "季度数字-draft.txt"
NAMES = ("Alice Wong", "李雷", "alice.wong@bank.example", "bob.li@bank.example")
ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", "gbk", "big5", "unicode_escape")


def shapes(text: str) -> Iterator[bytes]:
    """The bytes of a text in every encoding that has them, where chance does not write as few as well."""
    for encoding in ENCODINGS:
        with contextlib.suppress(UnicodeEncodeError):
            if len(shape := text.encode(encoding)) > 4:
                yield shape


def in_clear(folder: Path, *texts: str) -> list[tuple[str, str]]:
    """Which texts stand in which files below a folder."""
    found = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        data = path.read_bytes()
        found += [(path.name, text) for text in texts if any(shape in data for shape in shapes(text))]
    return found


async def stream(*pieces: bytes) -> object:
    """An attachment as a network hands it over."""
    for piece in pieces:
        yield piece


async def test_nothing_that_was_said_is_in_any_file(tmp_path: Path) -> None:
    """Texts in both scripts, an attachment in three encodings and its name, while the database is open."""
    new_store(tmp_path)
    hands = Hands(opened(tmp_path, Clock()), Clock())
    await hands.store.own("the test")
    words = f"{LATIN} {CHINESE}"
    file = File("f1", FILE_NAME)
    await hands.archive(
        message(SYMPHONY, 1, words, raw=words.encode("utf-16-le"), files=(file,)),
        message(WEIXIN, 2, words, raw=words.encode("gbk")),
    )
    (wanted,) = await hands.store.wanted_files(SYMPHONY, 9)
    bodies = [words.encode(encoding) * 9000 for encoding in ("utf-8", "gbk", "utf-16-le")]
    digest, size = await hands.store.keep(stream(*bodies), 10**9)
    inspection = Inspection(name=FILE_NAME, size=size, claims="txt", type="txt", text=words)
    blob = Blob(digest, size, FILE_NAME, Kind.FILE)
    await hands.store.settle_file(wanted, blob, inspection=inspection)
    await hands.say(message(SYMPHONY, 3, words), message(WEIXIN, 4, CHINESE))
    assert in_clear(tmp_path, LATIN, CHINESE, FILE_NAME, *NAMES) == []
    read = b"".join([piece async for piece in hands.store.blobs.read(digest)])
    assert read == b"".join(bodies)
    hands.store.close()
    assert in_clear(tmp_path, LATIN, CHINESE, FILE_NAME, *NAMES) == []


def test_nothing_of_a_long_story_is_in_any_file(tmp_path: Path) -> None:
    """Verdicts, holds, acts and their reasons, policies, notices to staff, consents, samples, pairs."""
    copy_of_the_story(tmp_path)
    said = (
        "Good morning",
        "my card",
        "not by chat",
        "said by telephone",
        "the account was unblocked",
        "我在",
    )
    kept = ("您同意吗", "Not advice", "known client", "4111111111111111", "policy: cards", "a leak")
    assert in_clear(tmp_path, *said, *kept, *NAMES, "韩梅梅", "moved to another bank", "photo.jpg") == []
    with open_engine(f"sqlite:///{tmp_path}/weighbridge.db").connect() as db:
        texts = " ".join(row["text"] for row in views.archive(db, views.Filter(), 500))
        assert "Good morning" in texts and "我在" in texts  # it is all there, for whoever has the key


def test_every_column_with_content_is_sealed() -> None:
    """What holds bytes that people wrote has the type that opens it; the others hold none."""
    sealed = {
        f"{table.name}.{column.name}"
        for table in s.metadata.tables.values()
        for column in table.columns
        if isinstance(column.type, Sealed)
    }
    assert sealed == {"content.body", "content.raw", "pairs.body"}


# --- without the key --------------------------------------------------------------------------------------


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of a store that somebody carried away."""
    copy_of_the_story(tmp_path)
    return tmp_path


def test_a_copy_without_the_key_yields_nothing(copy: Path) -> None:
    """Neither messages nor names nor attachments; the error says which key is missing, and where."""
    (copy / "secrets" / "store-key").unlink()
    engine = open_engine(f"sqlite:///{copy}/weighbridge.db")
    with engine.connect() as db, db.begin():
        for query in (select(s.content.c.body), select(s.content.c.raw), select(s.pairs)):
            with pytest.raises(KeyMissing, match=r"master key k-.* is not in .*store-key"):
                db.execute(query).all()
        with pytest.raises(KeyMissing):
            Directory().refresh(db)
        digest = db.execute(select(s.files.c.digest).where(s.files.c.state == "archived")).scalars().first()
        with pytest.raises(KeyMissing):
            vault_of(db).file_key(digest)
    engine.dispose()


async def test_no_daemon_works_without_the_key(copy: Path) -> None:
    """It takes no lane: a network that is told "received" must find that true."""
    (copy / "secrets" / "store-key").unlink()
    store = opened(copy, Clock())
    with pytest.raises(KeyMissing, match="there is no such file"):
        await store.own("a daemon")
    store.close()


def test_another_key_is_refused(copy: Path) -> None:
    """The key of another installation under this one's name: nothing opens, and it is said why."""
    key = KeyFile(copy / "secrets" / "store-key")
    name, _ = key.reveal()
    key.path.unlink()
    key.restore(name, bytes(32))
    engine = open_engine(f"sqlite:///{copy}/weighbridge.db")
    with (
        engine.connect() as db,
        pytest.raises(ConfigError, match="not the one that this store was sealed with"),
    ):
        db.execute(select(s.content.c.body)).all()
    engine.dispose()


def checked(folder: Path) -> tuple[list[Finding], Summary]:
    """What `verify` says of a store, with whatever key is there."""
    found: list[Finding] = []
    engine = open_engine(f"sqlite:///{folder}/weighbridge.db")
    with engine.connect() as db, db.begin():
        keys = verifiers([folder / "secrets/checkpoint-key.pub"])
        summary = verify(db, folder / "blobs", found.append, keys=keys)
    engine.dispose()
    return found, summary


def test_without_the_key_the_rest_is_still_verified(copy: Path) -> None:
    """Tree, structure and attachments' digests; it says what was not compared, and finds what was changed."""
    (copy / "secrets" / "store-key").unlink()
    found, summary = checked(copy)
    assert found == []
    assert "there is no such file" in summary.unread
    engine = open_engine(f"sqlite:///{copy}/weighbridge.db")
    with engine.begin() as db:
        db.exec_driver_sql("UPDATE messages SET state = 'held' WHERE id = 1")
        db.exec_driver_sql("UPDATE ledger SET leaf = x'00' WHERE seq = 5")
    engine.dispose()
    found, _ = checked(copy)
    assert {finding.table for finding in found} >= {"ledger", "messages"}


def test_with_the_key_everything_is_compared(copy: Path) -> None:
    """Nothing is left unread."""
    assert checked(copy)[1].unread == ""


# --- records ----------------------------------------------------------------------------------------------


def test_a_record_without_its_key_is_gone(copy: Path) -> None:
    """Destroy one data key: that record reads as nothing, its neighbours as ever."""
    engine = open_engine(f"sqlite:///{copy}/weighbridge.db")
    with engine.begin() as db:
        before = dict(db.execute(select(s.content.c.seq, s.content.c.body)).all())
        victim = min(before)
        db.execute(s.data_keys.delete().where(s.data_keys.c.seq == victim))
        after = dict(db.execute(select(s.content.c.seq, s.content.c.body)).all())
    assert after[victim] is None
    assert {seq for seq in before if before[seq] != after[seq]} == {victim}
    engine.dispose()


def test_records_cannot_change_places(copy: Path) -> None:
    """One record's sealed bytes with its key in another's place do not open."""
    engine = open_engine(f"sqlite:///{copy}/weighbridge.db")
    with engine.begin() as db:
        first, second = sorted(db.execute(select(s.content.c.seq)).scalars())[:2]
        for table, column in (("content", "body"), ("content", "raw"), ("data_keys", "wrapped")):
            db.exec_driver_sql(
                f"UPDATE {table} SET {column} = (SELECT {column} FROM {table} WHERE seq = ?) WHERE seq = ?",
                (second, first),
            )
        with pytest.raises(StoreError, match=f"entry {first} of lane 0 cannot be opened"):
            db.execute(select(s.content.c.body).where(s.content.c.seq == first)).all()
    engine.dispose()


def test_every_record_has_a_key_of_its_own(copy: Path) -> None:
    """No two data keys are wrapped alike, and none is a store key."""
    engine = open_engine(f"sqlite:///{copy}/weighbridge.db")
    with engine.connect() as db:
        wrapped = list(db.execute(select(s.data_keys.c.wrapped)).scalars())
        assert len(set(wrapped)) == len(wrapped) > 50
    engine.dispose()


def test_chats_of_addresses_are_named_by_tokens(copy: Path) -> None:
    """The same token each time, of the same address, in every table; other chats keep their names."""
    engine = open_engine(f"sqlite:///{copy}/weighbridge.db")
    with engine.connect() as db:
        vault = vault_of(db)
        vault.load(db)
        hidden = vault.hidden("im:carol@bank.example")
        assert vault.hidden(STREAM) == STREAM and vault.hidden(CONTACT) == CONTACT
        assert hidden == vault.hidden("im:carol@bank.example") != vault.hidden("im:alice.wong@bank.example")
        assert "carol" not in hidden and hidden.startswith("im:")
    engine.dispose()


def test_reading_and_writing_threads_share_a_vault(tmp_path: Path) -> None:
    """Many at once, from the first moment on: everybody reads what was written."""
    new_store(tmp_path)

    async def many() -> None:
        hands = Hands(opened(tmp_path, Clock()), Clock())
        await hands.store.own("the test")
        await asyncio.gather(*(hands.archive(message(SYMPHONY, n, f"text {n}")) for n in range(40)))
        texts = {one.message.text for one in await hands.store.unjudged(99)}
        assert texts == {f"text {n}" for n in range(40)}
        hands.store.close()

    asyncio.run(many())


async def test_the_next_owner_sweeps_files_without_a_record(tmp_path: Path) -> None:
    """A process died with a file's key in its memory: the file, which nothing can open, goes; others stay."""
    new_store(tmp_path)
    hands = Hands(opened(tmp_path, Clock()), Clock())
    await hands.store.own("the test")
    await hands.archive(message(SYMPHONY, 1, "", files=(File("f1", FILE_NAME),)))
    (wanted,) = await hands.store.wanted_files(SYMPHONY, 9)
    kept, size = await hands.store.keep(stream(b"kept"), 99)
    await hands.store.settle_file(wanted, Blob(kept, size, FILE_NAME, Kind.FILE))
    lost, _ = await hands.store.keep(stream(b"lost"), 99)
    hands.store.close()
    again = opened(tmp_path, Clock())
    await again.own("the next")
    assert [piece async for piece in again.blobs.read(kept)] == [b"kept"]
    assert not again.blobs.path(lost).exists()
    again.close()
