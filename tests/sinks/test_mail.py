"""Copies to a mailbox: over TLS that is checked, one letter a record, whole or not at all (real aiosmtpd)."""

from __future__ import annotations

import asyncio
import email
import email.policy
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from archives import PDF, Box, Held, mail_server, parcel, record

from bridge.config import Archives, Symphony, Weixin
from bridge.errors import Refused, Unreachable
from bridge.ports import DECLINED
from bridge.records.copies import Enclosed, letter, native
from bridge.records.exports.mime import larger
from bridge.sinks.mail import MailBox, MailSink

FILE = Enclosed("报告.pdf", "application/pdf", len(PDF), "", "sealed")
ARCHIVE = "journal@archive.example"


def sink(box: Box, *, tls: str = "starttls", trusted: bool = True, largest: int = 25_000_000) -> MailSink:
    """Letters to that mailbox."""
    context = ssl.create_default_context(cafile=str(box.ca) if trusted else None)
    sender = "weighbridge@bank.example"
    return MailSink(
        "records/journal", MailBox("localhost", box.port, ARCHIVE, sender, tls, context, largest, seconds=10)
    )


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
async def test_a_letter(tmp_path: Path, tls: str) -> None:
    """The archive gets metadata and the record as a mail of its own, with the attachment; its queue's id is
    the receipt. Both ways of TLS."""
    one = record(1, FILE)
    async with mail_server(tmp_path, tls=tls) as box:
        there = sink(box, tls=tls)
        answer = await there.put(parcel(one), Held({"sealed": PDF}))
        assert "over TLS" in await there.check()
        await there.close()
    (letter,) = box.letters
    assert (letter.mail_from, letter.rcpt_tos) == ("weighbridge@bank.example", [ARCHIVE])
    assert "queued as Q1" in answer.answer
    outer = email.message_from_bytes(letter.content, policy=email.policy.default)
    assert outer["Message-ID"] == answer.objects[0]
    meta, inner = outer.iter_parts()
    assert f"message: {one.number}" in meta.get_content()
    mail = inner.get_content()
    assert mail["From"].addresses[0].display_name == "李雷"
    assert mail.get_body().get_content().startswith("你好 Li Lei")
    attached = {part.get_filename(): part.get_content() for part in mail.iter_attachments()}
    assert attached == {"报告.pdf": PDF, "record.json": native(one)}


@dataclass
class Counted(Held):
    """Attachments that are counted while a letter has them: from their first byte until it is sent."""

    box: Box = field(default_factory=Box)
    begun: int = 0
    most: int = 0

    async def read(self, digest: str) -> AsyncIterator[bytes]:
        """The bytes."""
        self.begun += 1
        self.most = max(self.most, self.begun - len(self.box.letters))
        async for piece in super().read(digest):
            yield piece


async def test_letters_are_written_one_at_a_time(tmp_path: Path) -> None:
    """However many are brought at once, attachments of one alone are in memory: the rest waits for the
    connection with empty hands."""
    async with mail_server(tmp_path) as box:
        there, blobs = sink(box), Counted({"sealed": PDF}, box)
        await asyncio.gather(*(there.put(parcel(record(n, FILE)), blobs) for n in (1, 2, 3)))
        await there.close()
    assert (len(box.letters), blobs.most) == (3, 1)


async def test_an_answer_that_was_lost(tmp_path: Path) -> None:
    """A letter whose acknowledgement never came is sent again, under the same Message-ID and with the same
    bytes: the archive knows it as one."""
    async with mail_server(tmp_path) as box:
        box.answers.append("lost")
        there = sink(box)
        with pytest.raises(Unreachable):
            await there.put(parcel(record(1)), Held())
        await there.put(parcel(record(1)), Held())
        await there.close()
    first, second = box.letters
    assert first.content == second.content


async def test_too_large(tmp_path: Path) -> None:
    """What is larger than the server takes is refused before it is read or sent, and by the server's word."""
    async with mail_server(tmp_path) as box:
        large = Enclosed("film.mp4", "video/mp4", 30_000_000, "", "never read")
        with pytest.raises(Refused) as refused:
            await sink(box).put(parcel(record(1, large)), Held())
        assert refused.value.code == "too-large"
        box.answers.append("552 too much")
        with pytest.raises(Refused) as refused:
            await sink(box).put(parcel(record(1)), Held())
        assert refused.value.code == "too-large"
    assert box.letters == []


async def test_the_size_is_known_exactly(tmp_path: Path) -> None:
    """What just fits is taken, and one byte more is refused before a byte of it was read. By the settings as
    they come, a file of 20 MB fits, and any that is carried."""
    two = [
        Enclosed("报告.pdf", "application/pdf", len(PDF), "", "sealed"),
        Enclosed("lost.png", "image/png", -1),
    ]
    one = record(1, *two, replace(two[0], size=100_000, sealed="more"))
    blobs = Held({"sealed": PDF, "more": b"x" * 100_000})
    size = len(letter(one, [PDF, None, b"x" * 100_000], "weighbridge@bank.example", ARCHIVE))
    async with mail_server(tmp_path) as box:
        with pytest.raises(Refused, match=f" {size} bytes"):
            await sink(box, largest=size - 1).put(parcel(one), Held())
        there = sink(box, largest=size)
        await there.put(parcel(one), blobs)
        await there.close()
    assert len(box.letters) == 1
    for megabytes in (20, Symphony().max_file_mb, Weixin().max_file_mb):
        most = Archives().mail_max_mb * 1_000_000
        assert larger(megabytes * 1_000_000) + size < most


async def test_replies(tmp_path: Path) -> None:
    """4xx is worth another try; 5xx to a letter is a refusal, which may be about all letters, also where the
    server says it of the recipient; a mailbox that is full does not take smaller letters either."""
    said = {"451 later": None, "554 no": DECLINED, "552 too much": "too-large"}
    async with mail_server(tmp_path) as box:
        for to_recipient in (False, True):
            for answer, code in said.items():
                (box.to_recipients if to_recipient else box.answers).append(answer)
                there = sink(box)
                with pytest.raises(Refused if code else Unreachable) as refused:
                    await there.put(parcel(record(1)), Held())
                if isinstance(refused.value, Refused):
                    assert refused.value.code == (DECLINED if to_recipient else code)
    assert box.letters == []


@pytest.mark.parametrize("code", [421, 535, 552, 554])
async def test_a_greeting_is_about_no_letter(code: int) -> None:
    """A server that turns everybody away has refused no letter."""

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"{code} not today\r\n".encode())
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(greet, "localhost", 0) as server:
        box = Box(port=server.sockets[0].getsockname()[1])
        there = MailSink(
            "records/journal",
            MailBox(
                "localhost",
                box.port,
                ARCHIVE,
                "a@b.example",
                "starttls",
                ssl.create_default_context(),
                1_000_000,
                seconds=10,
            ),
        )
        with pytest.raises(Unreachable):
            await there.put(parcel(record(1)), Held())
        with pytest.raises(Unreachable):
            await there.check()


async def test_a_certificate_that_nobody_vouches_for(tmp_path: Path) -> None:
    """Nothing is said to a server whose certificate does not lead to an authority that is trusted."""
    async with mail_server(tmp_path) as box:
        with pytest.raises(Unreachable, match="certificate"):
            await sink(box, trusted=False).put(parcel(record(1)), Held())
        with pytest.raises(Unreachable, match="certificate"):
            await sink(box, trusted=False).check()
    assert box.letters == []


async def test_what_a_mailbox_cannot(tmp_path: Path) -> None:
    """It cannot be read back, and whether it locks cannot be seen: both are said."""
    async with mail_server(tmp_path) as box:
        there = sink(box)
        with pytest.raises(Refused):
            there.read("<1>")
        with pytest.raises(Refused):
            await there.try_delete()
