"""`weighbridge audit export`: what the archive has is what is handed over, message by message, or it is said.

Rules of this file: the store is made once, through its own doors, with the texts of the corpus; exports are
made by the command and read by other hands. Whatever is broken is broken between two lines of the command.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import csv
import email
import functools
import hashlib
import io
import json
import os
import re
import shutil
import sqlite3
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import policy
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from disposals import firm
from pyarrow import parquet
from pypdf import PdfReader
from records import corpus
from story import (
    ACCOUNT,
    ALICE,
    LI_LEI,
    REVIEWER,
    SHOWN,
    STREAM,
    Story,
    Terminal,
    Ticking,
    copy_of_the_story,
    held,
    passed_text,
    pieces,
    ruled,
)

from bridge.cli import exporting
from bridge.cli.output import Exit
from bridge.errors import StoreError
from bridge.message import SYMPHONY, WEIXIN, Blob, File, Inspection, Kind, Message, Outcome, Party, Receipt
from bridge.people import Pair
from bridge.ports import Step
from bridge.records import exports as formats
from bridge.records.exports.manifest import Terms
from bridge.records.exports.numbers import numbers_of
from bridge.records.exports.packing import Limits
from bridge.records.exports.profiles import PROFILES
from bridge.store import exports as recorded
from bridge.store.database import Database
from bridge.store.documents import documents, last_number
from bridge.store.engines import open_engine
from bridge.store.looks import Looker
from bridge.store.volume import Volume

HAN = Party(WEIXIN, "wmHanMei", "韩梅梅", "", "zh-Hans")
LARGE = b"weighbridge" * 100_000  # the pure tests of the formats have one of 20 MB
SMALL = b"%PDF-1.7 the term sheet of AcquireCo"


async def _tell(folder: Path) -> None:
    story = Story(folder)
    await story.begin()
    await story.pair("room-han", HAN)
    first = story.says("卡号 4111111111111111")
    await story.archive(first)
    await story.judge(ruled(Outcome.REDACT, "卡号 ************1111", (3, 19)))
    await story.deliver()
    await story.archive(story.says("卡号 once more", replaces=first.id))
    await story.judge(held("卡号 once more"), notice="Held for review.")
    await story.store.decide_hold(2, REVIEWER, "已核對", passed=True)
    gone = story.answers("a slip")
    await story.archive(gone)
    await story.judge()
    await story.deliver()
    await story.archive(story.answers("", kind=Kind.RECALL, refers_to=gone.id))
    await story.judge()
    await story.deliver()
    for name, data in (("条款.pdf", SMALL), ("large.bin", LARGE)):
        await story.archive(story.says(name, files=(File(name, name, Kind.FILE),)))
        await _attach(story, data)
        await story.judge()
    await story.archive(story.says("lost", files=(File("ref", "lost.png", Kind.IMAGE),)))
    await story.lose_file()
    await story.judge()
    story.clock.at += 86_400_000
    for text in corpus.TEXTS:
        await story.archive(story.answers(text))
        await story.judge(passed_text(text))
    chat = f"{ACCOUNT}/{HAN.id}"
    await story.archive(Message(WEIXIN, "h1", chat, HAN.id, story.clock.at, text="再见"))
    await story.judge()
    await story.deliver()
    await story.store.end_pair(2, REVIEWER, "moved")
    await story.sign()
    story.store.close()


async def _attach(story: Story, data: bytes) -> None:
    (wanted,) = await story.store.wanted_files(SYMPHONY, 9)
    digest, size = await story.store.keep(pieces(data), 1 << 30)
    blob = Blob(digest, size, wanted.file.name, wanted.file.kind, wanted.file.media_type)
    await story.store.settle_file(wanted, blob, "", Inspection(wanted.file.name, "pdf", size))


@functools.cache
def _told() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="weighbridge-exports-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    asyncio.run(_tell(folder))
    return folder


@pytest.fixture
def terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Terminal:
    """A terminal on a copy of the store."""
    return copied(tmp_path / "store", capsys)


def copied(folder: Path, capsys: pytest.CaptureFixture[str]) -> Terminal:
    """A copy of the store, and a terminal on it."""
    shutil.copytree(_told(), folder)
    return Terminal(folder, capsys)


def out_of(terminal: Terminal, name: str = "out") -> Path:
    """Where an export goes."""
    return terminal.folder.parent / f"{terminal.folder.name}-{name}"


WHO = ("--as", "auditor@bank.example", "--reason", "the regulator asked", "--tz", "Asia/Hong_Kong")


def export(
    terminal: Terminal, *typed: str, form: str = "jsonl", name: str = "out", region: str = "CN"
) -> Any:
    """Type an export."""
    where = ("--to-region", region) if region else ()
    needed = ("--option", "msgtype=Chat") if form == "globalrelay" else ()
    out = str(out_of(terminal, name))
    return terminal.type("audit", "export", *typed, "--format", form, "--out", out, *where, *needed, *WHO)


def listed(folder: Path) -> dict[str, Any]:
    """The manifest."""
    found: dict[str, Any] = json.loads((folder / "manifest.json").read_bytes())
    return found


def left_out(terminal: Terminal) -> dict[str, str]:
    """What the record says the last export left out: numbers by reason."""
    newest: dict[str, str] = terminal.type("audit", "exports", "--json").records[0]["exclusions"]
    return newest


def tree(folder: Path) -> dict[str, str]:
    """Every file of a folder by its digest."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def lines(folder: Path, kind: str) -> list[dict[str, Any]]:
    """The lines of one type of our own package, of all parts."""
    return [
        json.loads(line)
        for path in sorted(folder.glob(f"{kind}-*.jsonl"))
        for line in path.read_bytes().split(b"\n")
        if line
    ]


def entries(terminal: Terminal, kind: str) -> list[dict[str, Any]]:
    """The facts of every entry of a kind."""
    with sqlite3.connect(terminal.folder / "weighbridge.db") as db:
        found = [json.loads(entry) for (entry,) in db.execute("SELECT entry FROM ledger ORDER BY seq")]
    return [one["facts"] for one in found if one["kind"] == kind]


@contextlib.contextmanager
def archived(terminal: Terminal) -> Iterator[list[Any]]:
    """Every message of the store, as the store reads it."""
    engine = open_engine(f"sqlite:///{terminal.folder}/weighbridge.db")
    with engine.connect() as db:
        yield documents(db, range(1, last_number(db) + 1))
    engine.dispose()


# --- round trips ----------------------------------------------------------------------------------------


def test_the_package_has_what_the_archive_has(terminal: Terminal) -> None:
    """Message by message: texts, what the other side saw, links, decisions, deliveries, leaves."""
    assert export(terminal).code == Exit.DONE
    found = {one["message"]: one for one in lines(out_of(terminal), "messages")}
    decisions = lines(out_of(terminal), "decisions")
    with archived(terminal) as messages:
        assert list(found) == [one.number for one in messages]
        for one in messages:
            row = found[one.number]
            for name in ("text", "quote", "state", "kind", "source_id", "at", "sent_at", "entry"):
                assert row[name] == getattr(one, name), (one.number, name)
            arrived = [SHOWN[d["permit"]] for d in row["deliveries"] if d["state"] == "sent"]
            seen = (arrived[-1].text, arrived[-1].quote) if arrived else ("", "")
            assert (row["sent"], row["sent_quote"]) == seen, one.number
            assert row["leaf"] == one.leaf.hex()
            assert [d["permit"] for d in row["deliveries"]] == [d.permit for d in one.deliveries]
            reasons = [d.why or d.verdict.reason for d in one.decisions]
            assert [d["reason"] for d in decisions if d["message"] == one.number] == reasons
    assert found[2]["edits"] == 1
    slip = [number for number, row in found.items() if row["text"] == "a slip"]
    assert [row["recalls"] for row in found.values() if row["kind"] == "recall"] == slip
    (taken,) = [row for row in found.values() if row["kind"] == "recall"]
    assert (taken["sent"], taken["sent_quote"]) == ("[Recalled a message]", "a slip")
    assert found[2]["sent"] == "［较早前发送，经审核后送达］\n［已修改］\n卡号 once more"
    assert found[2]["sent_quote"] == found[1]["sent"] == "卡号 ************1111"
    assert {row["notice_for"] for row in found.values()} == {None, 2}


def test_attachments_come_out_as_they_went_in(terminal: Terminal) -> None:
    """A megabyte and a name in Chinese, byte for byte, under the digest of the bytes."""
    assert export(terminal).code == Exit.DONE
    files = [file for one in lines(out_of(terminal), "messages") for file in one["attachments"]]
    assert [file["name"] for file in files] == ["条款.pdf", "large.bin", "lost.png"]
    for file, data in zip(files, (SMALL, LARGE), strict=False):
        assert (out_of(terminal) / file["file"]).read_bytes() == data
        assert file["sha256"] == hashlib.sha256(data).hexdigest()
    assert files[2]["missing"] == "the network did not give it"
    assert listed(out_of(terminal))["warnings"][0]["code"] == "attachment-not-given"


def test_who_could_see_is_told(terminal: Terminal) -> None:
    """Joins with their time, who was present when a day began, and an address for everybody."""
    assert export(terminal).code == Exit.DONE
    people = {one["id"]: one for one in lines(out_of(terminal), "participants")}
    assert people[f"symphony/{ALICE.id}"]["address"] == ALICE.address
    assert people[f"weixin/{LI_LEI.id}"]["address"].endswith("@weixin.invalid")
    first, later, *_ = lines(out_of(terminal), "conversations")
    assert (first["present"], len(later["present"])) == ([], 2)
    joins = [one for one in lines(out_of(terminal), "events") if one["event"] == "join"]
    assert {one["participant"] for one in joins} == {f"symphony/{ALICE.id}", f"weixin/{LI_LEI.id}"}
    left = [one for one in lines(out_of(terminal), "events") if one["event"] == "leave"]
    assert {one["participant"] for one in left} == {f"symphony/{ALICE.id}", f"weixin/{HAN.id}"}
    assert {one["reason"] for one in left} == {"pair ended: moved"}


def _posts(folder: Path) -> list[dict[str, str]]:
    text = (folder / "posts-00001.csv").read_bytes().decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def _table(folder: Path) -> set[int]:
    return {int(row["message"]) for row in _posts(folder) if row["type"] == "message"}


def _columns(folder: Path) -> set[int]:
    return set(parquet.read_table(folder / "messages-00001.parquet")["message"].to_pylist())


def _mails(folder: Path) -> set[int]:
    found: set[int] = set()
    for path in folder.glob("*/*.eml"):
        mail = email.message_from_bytes(path.read_bytes(), policy=policy.default)
        text = mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
        records = [line for line in text.splitlines() if line.startswith("    - Record: message/")]
        found |= {int(line.rpartition("/")[2]) for line in records}
    return found


def _pages(folder: Path) -> set[int]:
    text = "".join(path.read_text("utf-8") for path in folder.glob("*/*.html"))
    return {int(part.split('"')[0]) for part in text.split('<article id="m')[1:]}


@pytest.mark.parametrize(
    ("form", "read"),
    [
        *(("csv", _table), ("parquet", _columns), ("eml", _mails), ("html", _pages), ("globalrelay", _mails)),
        *((name, None) for name in ("pdf", "actiance", "rsmf", "edrm", "dat")),
    ],
)
def test_every_format_has_every_message(
    terminal: Terminal, form: str, read: Callable[[Path], set[int]] | None
) -> None:
    """The same numbers in each, counted in the manifest, and each proven to be in the record."""
    assert export(terminal, form=form).code == Exit.DONE
    told = listed(out_of(terminal))
    with archived(terminal) as messages:
        numbers = {one.number for one in messages}
    assert read is None or read(out_of(terminal)) == numbers
    assert told["counts"]["written"] == told["counts"]["found"] == len(numbers)
    answer = terminal.type("audit", "export", "--verify", str(out_of(terminal)))
    assert (answer.code, "each proven" in answer.out) == (Exit.DONE, True), answer.out


def _of_the_slip(folder: Path, form: str) -> str:
    """All that a format says of the message "a slip", as text."""
    if form == "jsonl":
        found = [one["later"] for one in lines(folder, "messages") if one["text"] == "a slip"]
        return " ".join(f"message/{one['message']}" for one in found[0])
    if form == "csv":
        (row,) = [one for one in _posts(folder) if one["text"] == "a slip"]
        return " ".join(f"message/{one['message']}" for one in json.loads(row["later"]))
    if form == "parquet":
        rows = parquet.read_table(folder / "messages-00001.parquet").to_pylist()
        return str(next(row["later"] for row in rows if row["text"] == "a slip"))
    found: list[str] = []
    for path in folder.rglob("*"):
        if path.suffix in (".html", ".dat", ".xml") or path.parts[-3:-2] == ("text",):
            found.append(path.read_text("utf-8-sig"))
        elif path.suffix in (".eml", ".rsmf"):
            mail = email.message_from_bytes(path.read_bytes(), policy=policy.default)
            found.append(mail.get_body(("plain",)).get_content())  # type: ignore[union-attr]
        elif path.suffix == ".zip":
            found.append(zipfile.ZipFile(path).read("actiance_export.xml").decode())
        elif path.suffix == ".pdf":
            found += [page.extract_text() for page in PdfReader(path).pages]
    return "\n".join(found)


@pytest.mark.parametrize("form", formats.FORMATS)
def test_what_was_taken_back_says_so_though_the_recall_was_not_asked_for(
    terminal: Terminal, form: str
) -> None:
    """A production by words never finds a recall: the original names it in every format, with a warning."""
    assert export(terminal, '"a slip"', form=form).code == Exit.DONE
    told = listed(out_of(terminal))
    (number,) = numbers_of(told["messages"]).runs()
    assert f"message/{number[0] + 1}" in _of_the_slip(out_of(terminal), form)
    assert (told["counts"]["recalls"], told["counts"]["recalled_later"]) == (0, 1)
    (warned,) = [one for one in told["warnings"] if one["code"] == "later-version"]
    assert (warned["messages"], warned["detail"].split(" by ")[0]) == (str(number[0]), "taken back")


@pytest.mark.parametrize("form", ["actiance", "rsmf", "jsonl"])
def test_where_parts_end_changes_nothing_that_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    """An original, its edit and its recall know each other, be they in one part or in three."""
    said = []
    for most in (10_000, 1):
        terminal = copied(tmp_path / str(most), capsys)
        limits = replace(formats.FORMATS[form].limits, part_items=most)
        monkeypatch.setitem(formats.FORMATS, form, replace(formats.FORMATS[form], limits=limits))  # type: ignore[index]
        assert export(terminal, "id:1..7", form=form).code == Exit.DONE
        assert "later-version" not in [one["code"] for one in listed(out_of(terminal))["warnings"]]
        said.append(_said_of_versions(out_of(terminal), form))
    assert said[0] == said[1]
    assert said[0]


def _said_of_versions(folder: Path, form: str) -> list[object]:
    """What a format says of versions, without where it says it."""
    if form == "jsonl":
        found = [(one["message"], one["taken"], str(one["later"])) for one in lines(folder, "messages")]
        return sorted(one for one in found if one[1] or one[2] != "[]")
    if form == "rsmf":
        events = [event for path in folder.rglob("*.rsmf") for event in _events(path)]
        return sorted(
            (one["id"], one["deleted"], str(one.get("edits"))) for one in events if "deleted" in one
        )
    dumps = [zipfile.ZipFile(path).read("actiance_export.xml") for path in folder.rglob("*.zip")]
    messages = [one for dump in dumps for one in ElementTree.fromstring(dump).iter("Message")]
    names = ("MessageId", "UpdatedType", "EditedNewMsgId", "Content")
    return sorted(tuple(one.findtext(name) or "" for name in names) for one in messages)


def _events(path: Path) -> list[dict[str, Any]]:
    mail = email.message_from_bytes(path.read_bytes(), policy=policy.default)
    (attachment,) = mail.iter_attachments()  # type: ignore[attr-defined]
    with zipfile.ZipFile(io.BytesIO(attachment.get_payload(decode=True))) as archive:
        found: list[dict[str, Any]] = json.loads(archive.read("rsmf_manifest.json"))["events"]
    return found


async def _tell_of_an_outage(folder: Path) -> None:
    story = Story(folder)
    await story.begin()
    story.clock.at += 86_400_000 - story.clock.at % 86_400_000 + 10_000  # after midnight, UTC
    chat = f"{ACCOUNT}/{LI_LEI.id}"
    for text, ago in (("said yesterday", 43_200_000), ("said today", 500), ("of another kind", 43_200_000)):
        at = story.clock.at - ago
        await story.archive(Message(WEIXIN, text.replace(" ", "-"), chat, LI_LEI.id, at, text=text))
        await story.judge()
    await story.sign()
    story.store.close()


def test_what_was_written_on_another_day_than_archived_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Days are those of archiving: what the day of writing lacks stands in the manifest, and what it has."""
    (tmp_path / "store").mkdir()
    asyncio.run(_tell_of_an_outage(tmp_path / "store"))
    terminal = Terminal(tmp_path / "store", capsys)

    def warned(name: str) -> dict[str, str]:
        return {one["code"]: one["messages"] for one in listed(out_of(terminal, name))["warnings"]}

    with archived(terminal) as messages:
        late, on_time, other = (one.number for one in messages)
        day = datetime.fromtimestamp(messages[0].sent_at / 1000, UTC).date()
    assert export(terminal, f"during:{day} said", "--tz", "UTC", name="of-the-day").code == Exit.DONE
    assert warned("of-the-day") == {"archived-later": str(late)}
    assert export(terminal, f"written:{day} said", "--tz", "UTC", name="written").code == Exit.DONE
    assert warned("written") == {"other-day": str(late)}
    assert listed(out_of(terminal, "written"))["messages"] == str(late)
    assert "time of archiving" in listed(out_of(terminal, "written"))["days"]
    assert export(terminal, f"during:{day + timedelta(1)}", "--tz", "UTC", name="after").code == Exit.DONE
    assert warned("after") == {"other-day": f"{late},{other}"}
    assert listed(out_of(terminal, "after"))["messages"] == f"{late}-{other}"
    assert on_time == late + 1


# --- the same bytes, whatever happens on the way --------------------------------------------------------


def test_the_same_question_to_the_same_record_gives_the_same_bytes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two copies of one store, two exports: every file is alike, and so are the two ZIP files."""
    both = [copied(tmp_path / name, capsys) for name in ("one", "other")]
    for terminal in both:
        assert export(terminal, "--zip", name="zip").code == Exit.DONE
    first, second = (out_of(terminal, "zip.zip").read_bytes() for terminal in both)
    assert first == second
    with zipfile.ZipFile(out_of(both[0], "zip.zip")) as archive:
        assert archive.testzip() is None
    assert not out_of(both[0], "zip").exists()
    answer = both[0].type("audit", "export", "--verify", str(out_of(both[0], "zip.zip")))
    assert answer.code == Exit.DONE, answer.out


@pytest.mark.parametrize("form", ["jsonl", "html", "eml", "rsmf", "edrm", "dat"])
def test_to_ask_again_gives_the_same_files(terminal: Terminal, form: str) -> None:
    """A second export, after the first one's own entries: all but what is of the state of the record."""
    trees = []
    for name, person in (("one", "auditor@bank.example"), ("two", "another@bank.example")):
        out = str(out_of(terminal, name))
        given = ("--format", form, "--out", out, "--to-region", "CN", *WHO, "--as", person)
        assert terminal.type("audit", "export", "id:1..12", *given).code == Exit.DONE
        files = tree(out_of(terminal, name)).items()
        trees.append({path: sha for path, sha in files if not path.startswith(("proofs/", "manifest."))})
    assert trees[0] == trees[1]
    assert trees[0]


class _Killed(BaseException):
    """The process ends here."""


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of a few messages, and days that are cut."""
    limits = Limits(part_items=7, slice_items=5)
    monkeypatch.setitem(formats.FORMATS, "jsonl", formats.Known("jsonl", "", limits))  # type: ignore[index]


@pytest.mark.parametrize("fault", ["note", "open", "settle", "record", "zip"])
def test_an_export_that_was_killed_goes_on(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    small_parts: None,
    fault: str,
) -> None:
    """Wherever it ended: what comes out is what an export comes to that nothing happened to."""
    whole, broken = (copied(tmp_path / name, capsys) for name in ("whole", "broken"))
    assert export(whole, "--zip").code == Exit.DONE
    counter = iter(range(1000))
    place = {
        "note": (Volume, "note", 2),
        "open": (Volume, "open", 11),
        "settle": (exporting._Work, "settle", 0),
        "record": (exporting, "_record", 0),
        "zip": (exporting, "_zipped", 0),
    }[fault]
    owner, name, after = place
    real = getattr(owner, name)

    def dies(*given: Any, **more: Any) -> Any:
        if next(counter) == after:
            raise _Killed
        return real(*given, **more)

    with monkeypatch.context() as patch, pytest.raises(_Killed):
        patch.setattr(owner, name, dies)
        export(broken, "--zip")
    answer = broken.type("audit", "export", "--resume", str(out_of(broken)), *WHO)
    assert answer.code == Exit.DONE, answer.err
    assert out_of(broken, "out.zip").read_bytes() == out_of(whole, "out.zip").read_bytes()
    assert len(entries(broken, "export:made")) == 1
    assert len(entries(broken, "export:begun")) == 2


async def _tell_of_a_clock_set_back(folder: Path) -> None:
    story = Story(folder)
    await story.begin()
    story.clock.at += (
        86_400_000 - story.clock.at % 86_400_000 + 57_600_050
    )  # just after midnight in Hong Kong
    for step in (0, -2000, 4000, -4000):
        story.clock.at += step
        await story.archive(story.says(f"after {step}"))
        await story.judge()
    await story.deliver()
    await story.sign()
    story.store.close()


@pytest.mark.parametrize("form", ["html", "jsonl"])
def test_a_day_that_comes_again_is_told_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    """A clock that is set back over midnight keeps no message from being handed over, interrupted or not."""
    asyncio.run(_tell_of_a_clock_set_back(tmp_path))
    terminal = Terminal(tmp_path, capsys)
    known = formats.FORMATS[form]
    monkeypatch.setitem(formats.FORMATS, form, replace(known, limits=Limits(part_items=1)))  # type: ignore[index]
    real, counter = Volume.note, iter(range(1000))

    def dies(*given: Any) -> None:
        real(*given)
        if next(counter) == 2:
            raise _Killed

    with monkeypatch.context() as patch, pytest.raises(_Killed):
        patch.setattr(Volume, "note", dies)
        export(terminal, form=form)
    assert terminal.type("audit", "export", "--resume", str(out_of(terminal)), *WHO).code == Exit.DONE
    assert export(terminal, form=form, name="whole").code == Exit.DONE
    assert listed(out_of(terminal))["counts"]["messages"] == 4
    names = [set(listed(out_of(terminal, name))["files"]) for name in ("out", "whole")]
    assert names[0] == names[1]


def test_what_came_later_is_not_part_of_it(terminal: Terminal) -> None:
    """An export is of the record as it was when it began: the entry of its beginning is not in it."""
    assert export(terminal).code == Exit.DONE
    (head,) = listed(out_of(terminal))["ledger"]
    with sqlite3.connect(terminal.folder / "weighbridge.db") as db:
        (begun,) = db.execute("SELECT seq FROM ledger WHERE subject = 'audit'").fetchone()
    assert head["size"] == begun


# --- what is refused, left out, or not there ------------------------------------------------------------


def test_records_leave_their_region_only_with_an_approval(terminal: Terminal) -> None:
    """Without one nothing is left behind, and that it was refused is in the record."""
    for region in ("US", ""):
        answer = export(terminal, region=region)
        assert (answer.code, "--approval" in answer.err) == (Exit.FORBIDDEN, True)
        assert not out_of(terminal).exists()
    assert entries(terminal, "export:refused") == [{"region": "US"}, {"region": ""}]
    assert entries(terminal, "export:made") == []
    assert export(terminal, "--approval", "CSRC-2026-9", region="US").code == Exit.DONE
    assert listed(out_of(terminal))["approval"] == "CSRC-2026-9"


def test_a_profile_of_an_authority_is_for_its_region(terminal: Terminal) -> None:
    """The wall knows where the SFC is, without being told."""
    out = str(out_of(terminal))
    answer = terminal.type("audit", "export", "--profile", "sfc", "--out", out, *WHO)
    assert (answer.code, "may not go to HK" in answer.err) == (Exit.FORBIDDEN, True)


@pytest.mark.parametrize("approval", ["-", "\u200b", "\u3164", "A\u202eB", "A\x07", " "])
def test_an_approval_that_says_nothing_allows_nothing(terminal: Terminal, approval: str) -> None:
    """An id has letters or digits, and no sign that nobody sees."""
    answer = export(terminal, "--approval", approval, region="US")
    assert (answer.code, out_of(terminal).exists()) == (Exit.WRONG, False), answer


def test_a_region_is_one_region(terminal: Terminal) -> None:
    """In either case of letters, without signs of any other kind, and the same that the profile names."""
    assert export(terminal, "id:1", region="cn").code == Exit.DONE
    assert listed(out_of(terminal))["region"] == "CN"
    assert export(terminal, "id:1", region="C\x07N", name="other").code == Exit.WRONG
    given = ("--profile", "sfc", "--to-region", "CN", "--out", str(out_of(terminal, "sfc")), *WHO)
    answer = terminal.type("audit", "export", "id:1", *given)
    assert (answer.code, "goes to HK" in answer.err) == (Exit.FORBIDDEN, True)
    assert terminal.type("audit", "export", "id:1", *given, "--approval", "CSRC-2026-9").code == Exit.DONE


def test_what_is_left_out_is_listed_with_its_reason(terminal: Terminal) -> None:
    """--leave-out: counts and numbers of each message that stays behind stand in the manifest."""
    assert export(terminal, "--leave-out", region="US").code == Exit.DONE
    told = listed(out_of(terminal))
    assert told["counts"]["written"] == 0
    (one,) = told["exclusions"]
    assert (one["reason"], one["count"]) == ("region CN: no approval", told["counts"]["found"])
    assert terminal.type("audit", "export", "--verify", str(out_of(terminal))).code == Exit.DONE


def test_a_client_gets_his_own_thread_alone(terminal: Terminal) -> None:
    """--client-copy: nothing of another client, no decision; the record says what was left out, he is not
    told."""
    assert export(terminal, "--client-copy", "韩梅梅").code == Exit.DONE
    assert [one["text"] for one in lines(out_of(terminal), "messages")] == ["再见"]
    assert {one["reason"] for one in lines(out_of(terminal), "events")} == {""}
    assert lines(out_of(terminal), "decisions") == []
    assert list(left_out(terminal)) == ["of another client"]
    assert "卡号" not in "".join(path.read_text("utf-8") for path in out_of(terminal).rglob("*.jsonl"))


def test_a_client_is_given_what_he_wrote_and_saw(terminal: Terminal) -> None:
    """--client-copy: masked as he was shown it, in no file otherwise; of what never reached him the record
    has the list."""
    assert export(terminal, "--client-copy", "李雷").code == Exit.DONE
    found = {one["message"]: one for one in lines(out_of(terminal), "messages")}
    for one in found.values():
        arrived = [SHOWN[d["permit"]].text for d in one["deliveries"] if d["state"] == "sent"]
        assert one["sender"] == f"weixin/{LI_LEI.id}" or one["text"] == arrived[-1]
    assert not any(one["notice_for"] for one in found.values())
    for one in found.values():
        assert (one["sent"], one["state"], one["copy"]) == ("", "", True)
        assert not any(delivery["reason"] for delivery in one["deliveries"])
    own = [one for one in found.values() if one["sender"] == f"weixin/{LI_LEI.id}"]
    assert own
    assert all((one["seen"], one["readers"], one["deliveries"]) == ("", [], []) for one in own)
    assert found[1]["text"] == "卡号 ************1111"
    secret = "4111111111111111"
    assert secret not in "".join(path.read_text("utf-8") for path in out_of(terminal).rglob("*.jsonl"))
    assert set(left_out(terminal)) == {"of another client", "the client neither wrote nor saw it"}
    assert terminal.type("audit", "export", "--verify", str(out_of(terminal))).code == Exit.DONE


def _printed(path: Path) -> str:
    """What a file says to whoever opens it."""
    data = path.read_bytes()
    if data.startswith(b"%PDF") and data != SMALL:
        return "".join(page.extract_text() for page in PdfReader(io.BytesIO(data)).pages)
    if data.startswith(b"From ") or path.suffix == ".eml":
        parts = email.message_from_bytes(data, policy=policy.default).walk()
        texts = [str(part.get_content()) for part in parts if part.get_content_maintype() == "text"]
        return "".join([data.decode("latin-1"), *texts])
    return data.decode("utf-8", "replace") + data.decode("utf-16", "replace")


def _unzipped(folder: Path) -> str:
    """All that a folder says, ZIP files in it opened."""
    for path in folder.rglob("*"):
        if path.is_file() and zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as box:
                box.extractall(path.with_suffix(".opened"))
    return "".join(_printed(path) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    "form",
    ["jsonl", "parquet", "csv", "html", "pdf", "eml", "globalrelay", "actiance", "rsmf", "edrm", "dat"],
)
def test_a_client_is_not_told_what_is_not_his_to_know(terminal: Terminal, form: str) -> None:
    """No file of his copy, manifest and id included, says what was asked for, why, for which case, by whom:
    the ledger does. Nor is there an address or an id by which the firm knows its people and what they write,
    anybody who was paired with him and wrote him nothing, or how many conversations there are."""
    asyncio.run(_joined_by(terminal, "Carl Ng"))
    asked = ("NOT", "secretword", "--case", "STR-2026-9", "--approval", "MLRO-7", "--client-copy", "李雷")
    assert export(terminal, *asked, form=form).code == Exit.DONE
    said = _unzipped(out_of(terminal))
    said += "\n".join(_cells(out_of(terminal)))
    assert ALICE.name in said
    for secret in ("secretword", "STR-2026-9", "MLRO-7", "auditor@bank", "the regulator asked"):
        assert secret not in said, secret
    for secret in (ALICE.address, "symphony/7001", "symphony 7001", "stand-in", "Carl", "carl.ng", "pair/1"):
        assert secret not in said, secret
    assert not re.search(r"[ \"(/]s[1-8][\")\n]", said)
    told = listed(out_of(terminal))
    assert (set(told["asked"]), told["client_copy"]) == ({"as_of", "timezone"}, True)
    (one,) = terminal.type("audit", "exports", "--json").records
    assert (one["id"], one["case"], one["query"]) == (told["id"], "STR-2026-9", "NOT secretword")
    assert one["reason"] == "the regulator asked"


def _cells(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*.parquet"):
        for row in parquet.read_table(path).to_pylist():
            yield from (str(value) for value in row.values())


async def _joined_by(terminal: Terminal, name: str) -> None:
    """Somebody else of the firm's is paired with 李雷 in the same room, and writes nothing."""
    store = Database(f"sqlite:///{terminal.folder}/weighbridge.db", terminal.folder / "blobs", Ticking())
    await store.own("desk")
    other = Party(SYMPHONY, "u-stand-in", name, "carl.ng@bank.example", "en")
    await store.make_pair(Pair(other, STREAM, LI_LEI, ACCOUNT).record(), REVIEWER, "stands in")
    store.close()


def test_a_client_is_told_of_nothing_that_is_not_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """His manifest does not count what was kept from him, what others have, or what is gone; the firm's own
    record does, and whoever makes it hears what the proofs give away."""
    one = firm(tmp_path / "firm")
    asyncio.run(one.dispose())
    one.store.close()
    terminal = Terminal(one.folder, capsys)
    answer = export(terminal, "--client-copy", LI_LEI.id)
    assert (answer.code, "he sees the numbers of his messages among all" in answer.err) == (Exit.DONE, True)
    told = listed(out_of(terminal))
    assert not {"exclusions", "disposed"} & set(told)
    assert not {"found", "excluded"} & set(told["counts"])
    (row,) = terminal.type("audit", "exports", "--json").records
    assert len(numbers_of(row["disposed"])) == 24
    assert sum(len(numbers_of(one)) for one in row["exclusions"].values()) == row["excluded"]
    assert terminal.type("audit", "export", "--verify", str(out_of(terminal))).code == Exit.DONE


def test_a_copy_has_an_id_that_says_nothing_of_the_question() -> None:
    """Two questions to one record have one id: no question can be tried out on it."""
    terms = Terms("jsonl", client=LI_LEI.id, client_copy=True)
    wanted = exporting.Wanted(Looker("a@bank.example", "why", "CASE-7"), "secretword", 1, "UTC", terms)
    other = replace(wanted, looker=Looker("b@bank.example"), query="other")
    state = recorded.State(1, {0: (1, b"root", "")})
    assert wanted.request(state) == other.request(state)
    whole = replace(terms, client_copy=False)
    ids = {replace(one, terms=whole).request(state).id for one in (wanted, other)}
    assert len(ids) == 2


async def _tell_of_a_part(folder: Path) -> None:
    story = Story(folder)
    await story.begin()
    await story.archive(story.says("see file", files=(File("r", "INTERNAL.pdf", Kind.FILE),)))
    await _attach(story, SMALL)
    await story.judge()
    await story.refuse(Step.PARK, "too-large", receipt=Receipt(("part1",)))
    await story.sign()
    story.store.close()


def test_a_client_is_given_no_file_that_perhaps_never_reached_him(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its network took a part of the message, and nobody says which: neither bytes, nor name, nor digest."""
    folder = tmp_path / "store"
    folder.mkdir()
    asyncio.run(_tell_of_a_part(folder))
    terminal = Terminal(folder, capsys)
    assert export(terminal, "--client-copy", "李雷", form="eml").code == Exit.DONE
    assert not list(out_of(terminal).rglob("*attachments*"))
    assert "INTERNAL" not in _unzipped(out_of(terminal))
    assert hashlib.sha256(SMALL).hexdigest() not in _unzipped(out_of(terminal))
    (warned,) = [one for one in listed(out_of(terminal))["warnings"] if one["code"].startswith("attachment")]
    assert (warned["code"], warned["messages"]) == ("attachment-not-shown", "1")
    assert export(terminal, name="whole").code == Exit.DONE
    assert list(out_of(terminal, "whole").rglob("*INTERNAL.pdf"))


async def _tell_of_versions(folder: Path, count: int) -> None:
    """Every other version is blocked; the last one arrives in part."""
    story = Story(folder)
    await story.begin()
    ids = [""]
    for number in range(1, count + 1):
        version = story.says(f"version {number}", replaces=ids[-1])
        ids.append(version.id)
        await story.archive(version)
        blocked = number % 2 == 0 and number < count
        await story.judge(*([ruled(Outcome.BLOCK, "", (0, 7))] if blocked else []))
        if number == count:
            await story.refuse(Step.PARK, "too-large", receipt=Receipt(("part",)))
        elif not blocked:
            await story.deliver()
    await story.archive(story.says("", kind=Kind.RECALL, refers_to=ids[-3]))
    await story.judge()
    await story.deliver()
    await story.sign()
    story.store.close()


def test_a_client_is_told_of_no_version_that_he_was_not_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The chain of what he was shown is whole from both ends, and has no hole to see; a regulator's
    copy names each one's next and the last."""
    (tmp_path / "store").mkdir()
    asyncio.run(_tell_of_versions(tmp_path / "store", 8))
    terminal = Terminal(tmp_path / "store", capsys)
    assert export(terminal, "--client-copy", "李雷").code == Exit.DONE
    found = {one["message"]: one for one in lines(out_of(terminal), "messages")}
    chain = {
        number: (
            one["edits"] or one["recalls"],
            [later["message"] for later in one["later"]],
            one["versions"],
        )
        for number, one in found.items()
    }
    assert chain == {
        1: (None, [3, 8, 9], 4),
        3: (1, [5, 8, 9], 3),
        5: (3, [7, 8, 9], 2),
        7: (5, [8, 9], 1),
        8: (7, [9], 0),
        9: (8, [], 0),
    }
    assert not any(one["replaces"] or one["refers_to"] for one in found.values())
    assert export(terminal, name="whole").code == Exit.DONE
    whole = {one["message"]: one for one in lines(out_of(terminal, "whole"), "messages")}
    assert [later["message"] for later in whole[1]["later"]] == [2, 8, 9]
    assert (whole[1]["versions"], whole[8]["edits"], bool(whole[8]["replaces"])) == (7, 7, True)


def test_a_client_whom_nobody_knows_takes_no_folder(terminal: Terminal) -> None:
    """A name that is mistyped: nothing is there and nothing in the record, and the right one goes on."""
    for option in ("--client", "--client-copy"):
        answer = export(terminal, option, "nobody")
        assert (answer.code, "no contact 'nobody'" in answer.err) == (Exit.NO, True)
        assert not out_of(terminal).exists()
    assert entries(terminal, "export:begun") == []
    assert export(terminal, "--client-copy", "韩梅梅").code == Exit.DONE


def test_a_place_that_cannot_be_is_refused_before_anything_is_written_down(terminal: Terminal) -> None:
    """A folder below one that is not there, or below a file: what is wrong is the option."""
    out_of(terminal, "file").write_bytes(b"")
    for above in ("missing", "file"):
        answer = export(terminal, name=f"{above}/out")
        assert (answer.code, "name another with --out" in answer.err) == (Exit.WRONG, True)
    assert entries(terminal, "export:begun") == []


def test_an_export_of_nothing_says_so(terminal: Terminal) -> None:
    """Nothing is found, or all of it is left out: it is an answer, and is said as one."""
    answer = export(terminal, "before:2000-01-01")
    assert (answer.code, "Nothing is found" in answer.err) == (Exit.DONE, True)
    answer = export(terminal, "--leave-out", region="US", name="out2")
    assert (answer.code, "All that is found is left out" in answer.err) == (Exit.DONE, True)
    assert "found" not in export(terminal, "id:1", name="out3").err


def test_a_name_that_two_clients_have_is_refused(terminal: Terminal) -> None:
    """Neither is handed the other's words: the ids are named, and one of them is taken."""

    async def pair() -> None:
        store = Database(f"sqlite:///{terminal.folder}/weighbridge.db", terminal.folder / "blobs", Ticking())
        await store.own("desk")
        two = Pair(ALICE, "room-twin", Party(WEIXIN, "wmTwin", LI_LEI.name, "", "en"), ACCOUNT)
        await store.make_pair(two.record(), REVIEWER, "another client")
        store.close()

    asyncio.run(pair())
    answer = export(terminal, "--client-copy", LI_LEI.name)
    assert (answer.code, f"one of {LI_LEI.id}, wmTwin" in answer.err) == (Exit.NO, True), answer.err
    given = ("--message", "4", "--client-copy", LI_LEI.name, "--out", str(out_of(terminal, "package.zip")))
    answer = terminal.type("audit", "evidence", *given, *WHO)
    assert (answer.code, f"one of {LI_LEI.id}, wmTwin" in answer.err) == (Exit.NO, True), answer.err
    assert export(terminal, "--client-copy", LI_LEI.id, name="id").code == Exit.DONE


def test_what_was_disposed_of_is_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No query finds it, so nobody can say whether this one would have: the manifest says which it was."""
    one = firm(tmp_path / "firm")
    asyncio.run(one.dispose())
    one.store.close()
    terminal = Terminal(one.folder, capsys)
    answer = export(terminal)
    assert (answer.code, "disposed of, in this span: 24" in answer.out) == (Exit.DONE, True)
    told = listed(out_of(terminal))
    gone = numbers_of(told["disposed"]["messages"])
    assert told["disposed"]["count"] == len(gone) == 24  # two of them notices
    assert not any(row["message"] in gone for row in lines(out_of(terminal), "messages"))
    assert export(terminal, "id:40..", name="later").code == Exit.DONE
    assert listed(out_of(terminal, "later"))["disposed"]["count"] < 24
    assert terminal.type("audit", "export", "--verify", str(out_of(terminal))).code == Exit.DONE


def test_an_attachment_that_is_still_being_fetched_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not that the network did not give it; and the exit code says that something is not there yet."""
    copy_of_the_story(tmp_path / "store")
    terminal = Terminal(tmp_path / "store", capsys)
    assert export(terminal).code == Exit.PARTIAL
    (warned,) = [one for one in listed(out_of(terminal))["warnings"] if one["code"] == "attachment-pending"]
    assert (warned["count"], "still being fetched" in warned["detail"]) == (1, True)
    found = {one["text"]: one for one in lines(out_of(terminal), "messages")}
    told = {text: found[text]["seen"] for text in ("to stay", "to be given up", "on its way", "next in line")}
    assert list(told.values()) == ["in part", "in part", "not known yet", "nothing"]
    assert export(terminal, "--client-copy", "李雷", name="copy").code in (Exit.DONE, Exit.PARTIAL)
    copied = {one["text"]: one for one in lines(out_of(terminal, "copy"), "messages")}
    assert copied["to stay"]["seen"] == "in part"
    assert not {one["kind"] for one in copied.values()} & {"note", "failed"}
    assert not any(one["taken"] for one in copied.values())
    anew = copied["lost, then sent anew"]["deliveries"]
    assert [delivery["state"] for delivery in anew] == ["sent"]
    assert len(numbers_of(left_out(terminal)["it is not known yet whether the client saw it"])) == 1


@pytest.mark.parametrize("spoil", ["removed", "changed"])
def test_an_attachment_that_is_not_there_any_more_is_said(terminal: Terminal, spoil: str) -> None:
    """The rest is exported, the manifest names the message, and the exit code says that something lacks."""
    blobs = [path for path in (terminal.folder / "blobs").rglob("*") if path.is_file()]
    small = min(blobs, key=lambda path: path.stat().st_size)
    small.chmod(0o600)
    if spoil == "removed":
        small.unlink()
    else:
        small.write_bytes(small.read_bytes()[:-1] + b"x")
    answer = export(terminal, "--json")
    assert answer.code == Exit.PARTIAL
    (warned,) = [one for one in listed(out_of(terminal))["warnings"] if one["code"] == "attachment-missing"]
    assert (warned["count"], "file is" in warned["detail"]) == (1, True)
    assert answer.records[0]["attachments"] == 1


def test_a_message_that_was_tampered_with_is_not_handed_over_as_if_it_were_not(terminal: Terminal) -> None:
    """What does not open any more is said to be so; its entry is proven, and so are all others."""
    with sqlite3.connect(terminal.folder / "weighbridge.db") as db:
        (entry,) = db.execute("SELECT entry FROM messages WHERE id = 5").fetchone()
        db.execute("UPDATE content SET body = zeroblob(60) WHERE seq = ?", (entry,))
    assert export(terminal).code == Exit.PARTIAL
    (warned,) = [one for one in listed(out_of(terminal))["warnings"] if one["code"] == "record-gone"]
    assert (warned["messages"], "audit verify" in warned["detail"]) == ("5", True)
    (row,) = [one for one in lines(out_of(terminal), "messages") if one["gone"]]
    assert (row["message"], row["text"]) == (5, "")
    assert terminal.type("audit", "export", "--verify", str(out_of(terminal))).code == Exit.DONE


def test_nothing_is_handed_over_that_cannot_be_written_down(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither at the beginning nor at the end: without an entry there is no folder, or no manifest."""

    def refuses(*_: object) -> None:
        raise StoreError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(recorded, "begin", refuses)
        assert export(terminal).code == Exit.UNREACHABLE
    assert not out_of(terminal).exists()
    with monkeypatch.context() as patch:
        patch.setattr(recorded, "record_made", refuses)
        answer = export(terminal)
        assert (answer.code, "--resume" in answer.err) == (Exit.UNREACHABLE, True)
    assert not (out_of(terminal) / "manifest.json").exists()


def test_an_option_that_no_format_knows_is_refused(terminal: Terminal) -> None:
    """A name that is mistyped, or a value that cannot be used: nothing is left behind."""
    for option, word in (("unti=s", "unit"), ("unit=hours", "ms, s")):
        answer = export(terminal, "--option", option, form="actiance")
        assert (answer.code, word in answer.err) == (Exit.WRONG, True)
        assert not out_of(terminal).exists()


@pytest.mark.parametrize(
    ("typed", "word"),
    [
        (("--profile", "globalrelay"), "msgtype"),
        (("--format", "globalrelay", "--option", "msgtype= "), "msgtype"),
        (("--profile", "doj"), "company"),
        (("--format", "dat", "--option", "profile=doj"), "company"),
        (("--profile", "relativity", "--format", "dat"), "rsmf"),
    ],
)
def test_what_nobody_would_take_is_refused(terminal: Terminal, typed: tuple[str, ...], word: str) -> None:
    """A vendor's type, a producing party, a format that is not the profile's: asked for before anything is
    opened."""
    answer = terminal.type("audit", "export", *typed, "--out", str(out_of(terminal)), *WHO)
    assert (answer.code, word in answer.err) == (Exit.WRONG, True), answer
    assert not out_of(terminal).exists()
    assert entries(terminal, "export:begun") == []


def test_addresses_that_an_archive_sorts_out_are_said(terminal: Terminal) -> None:
    """Where the domain was left as it comes: of the formats that archives take, by number; doctor as well."""
    for form, expected in (("actiance", True), ("globalrelay", True), ("jsonl", False)):
        assert export(terminal, "id:1", form=form, name=form).code == Exit.DONE
        codes = [one["code"] for one in listed(out_of(terminal, form))["warnings"]]
        assert ("made-up-domain" in codes) == expected
    assert "weixin.invalid: archives sort out" in terminal.type("doctor", "--offline").out
    terminal.settings('[exports]\naddress_domain = "clients.bank.example"\n')
    assert export(terminal, "id:1", form="actiance", name="own").code == Exit.DONE
    assert "made-up-domain" not in [one["code"] for one in listed(out_of(terminal, "own"))["warnings"]]


def test_an_export_has_all_that_is_found(terminal: Terminal) -> None:
    """A number of messages is for people who look: half an answer is not handed over."""
    answer = export(terminal, "limit:3")
    assert (answer.code, "limit:" in answer.err) == (Exit.WRONG, True)


def test_an_export_is_never_put_over_another(terminal: Terminal) -> None:
    """A place that is taken is refused before anything is asked of the archive."""
    out_of(terminal).mkdir()
    assert export(terminal).code == Exit.NO
    assert entries(terminal, "export:begun") == []


# --- read again -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", ["altered", "removed", "added", "manifest", "proof"])
def test_whatever_is_changed_in_an_export_is_named(terminal: Terminal, change: str) -> None:
    """A byte of any file, a file more or less, the manifest, a proof."""
    assert export(terminal).code == Exit.DONE
    folder = out_of(terminal)
    names = {
        "altered": "messages-00001.jsonl",
        "removed": "events-00001.jsonl",
        "added": "more.txt",
        "manifest": "manifest.json",
        "proof": "proofs/00001.jsonl",
    }
    path = folder / names[change]
    if change == "removed":
        path.unlink()
    else:
        data = path.read_bytes() if path.exists() else b"21"
        path.write_bytes(data.replace(b"2", b"3", 1))
    answer = terminal.type("audit", "export", "--verify", str(folder))
    assert answer.code == Exit.INTEGRITY
    named = "manifest.note" if change == "manifest" else names[change]
    assert named in answer.out


def _spoil(folder: Path, damage: str) -> None:
    manifest, proofs = folder / "manifest.json", folder / "proofs/00001.jsonl"
    told = listed(folder)
    if damage == "cut off":
        manifest.write_bytes(manifest.read_bytes()[:-40])
    elif damage == "a list":
        manifest.write_bytes(b"[]")
    elif damage == "no counts":
        manifest.write_bytes(json.dumps({name: told[name] for name in told if name != "counts"}).encode())
    elif damage == "a path out":
        told["files"]["../../etc/passwd"] = {"sha256": "0" * 64, "size": 1}
        manifest.write_bytes(json.dumps(told).encode())
    elif damage == "junk":
        proofs.write_bytes(b"junk\n" + proofs.read_bytes())
    elif damage == "no path":
        proofs.write_bytes(proofs.read_bytes().replace(b'"path":', b'"way":'))
    elif damage == "seq":
        proofs.write_bytes(proofs.read_bytes().replace(b'"seq":', b'"seq":"7","was":', 1))
    elif damage == "a folder":
        (folder / "events-00001.jsonl").unlink()
        (folder / "events-00001.jsonl").mkdir()
    elif damage == "an empty folder":
        (folder / "empty").mkdir()
    elif damage == "a pipe":
        os.mkfifo(folder / "pipe")
    else:
        (folder / "link").symlink_to(folder / "nowhere")


DAMAGE = {
    **dict.fromkeys(("cut off", "a list", "no counts", "a path out"), "manifest.json: cannot be understood"),
    **dict.fromkeys(("junk", "no path", "seq"), "proofs/00001.jsonl: line 1: no proof"),
    "a folder": "events-00001.jsonl: no file",
    "an empty folder": "empty: not in the manifest",
    "a pipe": "pipe: not in the manifest",
    "a link": "link: not in the manifest",
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_of_any_kind_is_a_line_of_the_answer(terminal: Terminal, damage: str) -> None:
    """Whatever somebody made of it, the check says what, and ends as one that found something."""
    assert export(terminal, "id:1..9").code == Exit.DONE
    _spoil(out_of(terminal), damage)
    answer = terminal.type("audit", "export", "--verify", str(out_of(terminal)))
    assert (answer.code, DAMAGE[damage] in answer.out) == (Exit.INTEGRITY, True), answer
    json_answer = terminal.type("audit", "export", "--verify", str(out_of(terminal)), "--json")
    assert json_answer.code == Exit.INTEGRITY
    assert DAMAGE[damage] in "".join(json_answer.records[0]["problems"])


def test_two_entries_of_one_name_in_a_zip_file_are_a_finding(terminal: Terminal) -> None:
    """One reader shows the first and another the last: neither is believed."""
    assert export(terminal, "id:1..9", "--zip").code == Exit.DONE
    place = out_of(terminal, "out.zip")
    with zipfile.ZipFile(place) as archive:
        data = archive.read("messages-00001.jsonl")
    with zipfile.ZipFile(place, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("messages-00001.jsonl", data)
    answer = terminal.type("audit", "export", "--verify", str(place))
    assert (answer.code, "2 times in the ZIP file" in answer.out) == (Exit.INTEGRITY, True)
    place.write_bytes(place.read_bytes()[: place.stat().st_size // 2])
    assert terminal.type("audit", "export", "--verify", str(place)).code == Exit.INTEGRITY


def test_an_outsider_needs_the_key_alone(terminal: Terminal) -> None:
    """Neither settings nor store: the folder and the public key."""
    assert export(terminal).code == Exit.DONE
    (key,) = terminal.folder.glob("secrets/*.pub")
    (terminal.folder / "weighbridge.toml").unlink()
    answer = terminal.type("audit", "export", "--verify", str(out_of(terminal)), "--key", str(key))
    assert (answer.code, "each proven" in answer.out) == (Exit.DONE, True), answer


def test_what_was_exported_can_be_asked(terminal: Terminal) -> None:
    """`audit exports` lists who, what and when; `audit show` says of a message when it went out."""
    assert export(terminal, "id:1..3", "--case", "CASE-7").code == Exit.DONE
    digest = hashlib.sha256((out_of(terminal) / "manifest.json").read_bytes()).hexdigest()
    (one,) = terminal.type("audit", "exports", "--json").records
    assert (one["person"], one["case"], one["messages"]) == ("auditor@bank.example", "CASE-7", 3)
    assert one["sha256"] == digest
    shown = terminal.type("audit", "show", "3", *WHO)
    assert f"manifest {digest[:16]}" in shown.out
    assert "Exports" not in terminal.type("audit", "show", "4", *WHO).out
    assert terminal.type("audit", "exports", "--message", "4").out == ""
    assert "export" in terminal.type("audit", "searches").out
    assert terminal.type("audit", "verify").code == Exit.DONE


def test_that_something_was_a_clients_copy_is_on_record(terminal: Terminal) -> None:
    """The list, and a message's life, say for whom it was made, and of whom one is that was made for others;
    the copy itself cannot. A refusal says it as well."""
    kinds = {"of 李雷": "--client", "copy for 李雷": "--client-copy"}
    for name, option in kinds.items():
        assert export(terminal, "id:1", option, "李雷", name=option).code == Exit.DONE, name
    assert export(terminal, "--client-copy", "李雷", region="US").code == Exit.FORBIDDEN
    rows = terminal.type("audit", "exports", "--json").records
    assert [(one["client"], one["copy"]) for one in rows] == [("李雷", True), ("李雷", True), ("李雷", False)]
    table = terminal.type("audit", "exports").out
    for said in (*(f"{name}: id:1" for name in kinds), "copy for 李雷: everything"):
        assert said in table
    shown = terminal.type("audit", "show", "1", *WHO).out
    assert [name for name in kinds if name in shown] == list(kinds)


@pytest.mark.parametrize(
    ("typed", "both"),
    [
        (("--client-copy", "李雷", "--client", "wmHan"), ("--client-copy", "--client")),
        (("--resume", ".", "--client-copy", "李雷"), ("--resume", "--client-copy")),
        (("--resume", ".", "from:alice"), ("--resume", "QUERY")),
        (("--verify", ".", "--resume", "."), ("--verify", "--resume")),
        (("--verify", ".", "--to-region", "US"), ("--verify", "--to-region")),
    ],
)
def test_options_that_contradict_each_other_are_refused(
    terminal: Terminal, typed: tuple[str, ...], both: tuple[str, str]
) -> None:
    """Neither wins in silence: somebody would be handed another one's words. Nothing is written down."""
    answer = terminal.type("audit", "export", *typed, "--reason", "asked")
    assert answer.code == Exit.WRONG
    assert f"{both[0]} and {both[1]} contradict each other" in answer.err
    assert entries(terminal, "export:begun") == []


def test_formats_and_profiles_are_listed_with_what_they_lack() -> None:
    """Whoever chooses knows the limits before."""
    from click.testing import CliRunner

    from bridge.cli import weighbridge

    answer = CliRunner().invoke(weighbridge, ["audit", "formats", "--json"])
    rows = [json.loads(line) for line in answer.output.splitlines()]
    assert {row["name"] for row in rows if row["kind"] == "format"} == set(formats.FORMATS)
    assert all("basis" in row for row in rows if row["kind"] == "profile")
    shown = CliRunner().invoke(weighbridge, ["audit", "formats"]).output
    assert all(f"{name}: " in shown for name in (*formats.FORMATS, *PROFILES))
    assert max(map(len, shown.splitlines())) <= 80


def test_help_is_given_for_one_letter(terminal: Terminal) -> None:
    """As everywhere else, although a query may begin with a dash."""
    for command in ("export", "search"):
        answer = terminal.type("audit", command, "-h")
        assert (answer.code, "Usage:" in answer.out) == (Exit.DONE, True), answer
