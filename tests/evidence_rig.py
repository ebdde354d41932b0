"""A store with a case in it, packages made of it, and what an attacker does to a package.

Rules of this file: the store is made once, through its own doors; packages are made by the command. What is
secret in a test is a word that stands nowhere else, in Chinese and in Latin letters.
"""

from __future__ import annotations

import asyncio
import atexit
import base64
import contextlib
import functools
import hashlib
import io
import json
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pypdf
from story import ALICE, REVIEWER, Story, Terminal, held, passed_text, pieces, ruled

from bridge.evidence import verify
from bridge.evidence.package import signed_text
from bridge.ledger.checkpoint import Signer, signer_from
from bridge.message import SYMPHONY, WEIXIN, Blob, File, Inspection, Kind, Message, Outcome, Party
from bridge.policy import Source

SOURCE = Source("cards.yaml", b"policy: cards\n", {"words.csv": "泄密词\n".encode()})
POLICY = (("cards", SOURCE.hash),)
HAN = Party(WEIXIN, "wmHanMei", "韩梅梅", "", "zh-Hans")
PDF = b"%PDF-1.7 the term sheet of AcquireCo"
NAMES = ("李雷", "Alice Wong", "alice.wong@bank.example")
SECRETS = ("内幕收购", "ProjectZephyr", "termsheet-zephyr.pdf", "AcquireCo")
"""Words of message 1 and what belongs to it."""

Files = dict[str, bytes]


async def _tell(folder: Path) -> None:
    story = Story(folder)
    await story.store.own("daemon")
    await story.store.activate_policy(POLICY, "daemon", "started", [SOURCE])
    await story.pair()
    await story.pair("room-han", HAN)
    await story.sign()
    secret = "内幕收购 ProjectZephyr 4111111111111111"
    first = story.says(secret, raw=f"<p>{secret}</p>".encode())
    await story.archive(first)
    verdict = replace(held("内幕收购 ProjectZephyr ****", (19, 35)), policies=POLICY)
    await story.judge(verdict, notice="Held for review.")
    await story.store.decide_hold(1, REVIEWER, "ProjectZephyr is public by now", passed=True)
    await story.deliver()
    await story.sign()
    await story.archive(story.answers("好的，明天见 😀", quote=secret, refers_to=first.id, raw=b'{"q":1}'))
    await story.judge(passed_text("好的，明天见 😀"))
    await story.archive(story.says("ProjectZephyr, 内幕收购 (edited)", replaces=first.id))
    await story.judge()
    await story.archive(story.says("as agreed", files=(File("ref-1", SECRETS[2], Kind.FILE),)))
    await _attach(story)
    await story.judge()
    await story.archive(Message(SYMPHONY, "h1", "room-han", ALICE.id, story.clock.at, text="你好 韩梅梅"))
    await story.judge(replace(ruled(Outcome.REDACT, "你好 ***", (3, 6)), policies=POLICY))
    await story.archive(story.answers("再见"))
    await story.judge()
    await story.deliver()
    await story.sign()
    story.store.close()


async def _attach(story: Story) -> None:
    (wanted,) = await story.store.wanted_files(SYMPHONY, 9)
    digest, size = await story.store.keep(pieces(PDF), 1000)
    blob = Blob(digest, size, wanted.file.name, wanted.file.kind, wanted.file.media_type)
    found = Inspection(wanted.file.name, "pdf", size, text="the term sheet of AcquireCo")
    await story.store.settle_file(wanted, blob, "", found)


@functools.cache
def _told() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="weighbridge-case-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    asyncio.run(_tell(folder))
    return folder


def case_store(folder: Path) -> None:
    """A copy of the store in `folder`."""
    shutil.copytree(_told(), folder, dirs_exist_ok=True)


def key_of(folder: Path) -> Path:
    """The public key of the store in `folder`, as an outsider was given it."""
    return folder / "secrets/checkpoint-key.pub"


def make(terminal: Terminal, *options: str, messages: str = "1,4,6,7,8", name: str = "case.zip") -> Path:
    """A package, made by the command."""
    out = terminal.folder / name
    answer = terminal.type(
        *("audit", "evidence", "--message", messages, "--out", str(out), "--reason", "the regulator asked"),
        *("--as", "auditor@bank.example", "--tz", "Asia/Hong_Kong", *options),
    )
    assert answer.code == 0, answer.err
    return out


# --- reading and changing packages ----------------------------------------------------------------------


def files_of(path: Path) -> Files:
    """What is in a package."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(files: Files, path: Path) -> Path:
    """A package with these files."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def relisted(files: Files) -> Files:
    """What an attacker does first: the list of files made anew, so that every digest in it is right."""
    listed = json.loads(files["manifest.json"])
    others = {name: data for name, data in files.items() if not name.startswith("manifest.")}
    listed["files"] = {
        name: {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)} for name, data in others.items()
    }
    return files | {"manifest.json": json.dumps(listed).encode()}


def signed(files: Files, signer: Signer) -> Files:
    """What a firm that lies does: the list made anew, and signed with the right key."""
    files = relisted(files)
    return files | {"manifest.note": signer.note(0, signed_text(files["manifest.json"])).encode()}


def signer_of(folder: Path) -> Signer:
    """The firm's own signing key."""
    return signer_from((folder / "secrets/checkpoint-key").read_text().strip())


def edited(files: Files, change: Callable[[list[dict[str, Any]]], object]) -> Files:
    """The same with other records: `change` gets them as values."""
    records = [json.loads(line) for line in files["entries/0.jsonl"].splitlines()]
    change(records)
    return files | {"entries/0.jsonl": b"".join(json.dumps(one).encode() + b"\n" for one in records)}


def listed(files: Files, change: Callable[[dict[str, Any]], object]) -> Files:
    """The same with another list: `change` gets it as a value."""
    value = json.loads(files["manifest.json"])
    change(value)
    return files | {"manifest.json": json.dumps(value).encode()}


def of_kind(records: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    """The first record of this kind of entry."""
    return next(one for one in records if json.loads(one["entry"])["kind"] == kind)


def field_of(record: dict[str, Any], name: str) -> dict[str, Any]:
    """A field of a record's content."""
    return next(one for one in record["fields"] if one["name"] == name)


def verified(path: Path, key: Path | None) -> tuple[int, str]:
    """What the outsider's program answers: exit code and print."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        code = verify.main([str(path), *(["--key", str(key)] if key else [])])
    return code, out.getvalue()


# --- looking for what is withheld -----------------------------------------------------------------------


def readable(path: Path) -> Iterator[tuple[str, bytes]]:
    """Everything that can be read out of a package: names, files, base64 in records, streams and text of the
    PDF, and what the verifier prints."""
    yield "the package", path.read_bytes()
    for name, data in files_of(path).items():
        yield "a name", name.encode()
        yield name, data
    records = files_of(path)["entries/0.jsonl"].splitlines()
    for field in (field for line in records for field in json.loads(line).get("fields", ())):
        yield "a raw field", base64.b64decode(field.get("base64", ""))
    pdf = pypdf.PdfReader(io.BytesIO(files_of(path)["report.pdf"]))
    for page in pdf.pages:
        yield "the PDF's text", page.extract_text().encode()
        yield "the PDF's stream", page.get_contents().get_data()  # type: ignore[union-attr]
    yield "what the verifier prints", verified(path, None)[1].encode()


def leaks(path: Path, words: tuple[str, ...]) -> list[tuple[str, str]]:
    """Where in a package any of `words` stands, in any encoding that it may have."""
    found = []
    for where, data in readable(path):
        for word in words:
            escaped = json.dumps(word)[1:-1]
            forms = [word.encode(code) for code in ("utf-8", "utf-16-le", "utf-16-be", "gbk")]
            forms += [escaped.encode(), base64.b64encode(word.encode())[:-4]]
            if any(form and form in data for form in forms):
                found.append((where, word))
    return found
