"""The form of a message: readable by anybody's parser, exact in length, never whole in memory."""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage

import pytest

pytest.register_assert_rewrite("contract")

from contract import MemoryBlobs, Over  # noqa: E402

from bridge.errors import StoreError, Unreachable  # noqa: E402
from bridge.message import Blob  # noqa: E402
from connectors.symphony.form import MessageForm, file_name  # noqa: E402


class Sheet:
    """Collects what is written."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    async def write(self, piece: bytes) -> None:
        self.pieces.append(piece)


async def written(form: MessageForm) -> bytes:
    sheet = Sheet()
    await form.write(sheet)
    return b"".join(sheet.pieces)


def parsed(form: MessageForm, body: bytes) -> list[EmailMessage]:
    """The parts, as the standard library's MIME parser sees them: not our own reading of our own writing."""
    head = f"MIME-Version: 1.0\r\nContent-Type: {form.content_type}\r\n\r\n".encode()
    whole = email.message_from_bytes(head + body, policy=email.policy.HTTP)
    return list(whole.iter_parts())  # type: ignore[attr-defined]


async def test_a_form_holds_texts_and_files_and_knows_its_length() -> None:
    """Every part is found by a MIME parser, byte for byte, and the announced size is the written one."""
    blobs = MemoryBlobs()
    files = [
        blobs.add(bytes(range(256)) * 200, "a.bin", media_type="image/png"),
        blobs.add(b"--x\r\n", "b.txt"),
    ]
    form = MessageForm("<messageML>你好\n</messageML>", '{"a":1}', files, blobs)
    body = await written(form)
    assert len(body) == form.size
    message, data, first, second = parsed(form, body)
    assert message.get_payload(decode=True) == "<messageML>你好\n</messageML>".encode()
    assert data.get_payload(decode=True) == b'{"a":1}'
    assert [part.get_param("name", header="content-disposition") for part in (message, data, first)] == [
        "message",
        "data",
        "attachment",
    ]
    assert (first.get_filename(), first.get_content_type()) == ("a.bin", "image/png")
    assert first.get_payload(decode=True) == bytes(range(256)) * 200
    assert second.get_content_type() == "application/octet-stream"


async def test_a_form_can_be_written_again() -> None:
    """A second attempt carries the whole file: it is opened anew."""
    blobs = MemoryBlobs()
    form = MessageForm("m", "d", [blobs.add(b"x" * 30_000, "a")], blobs)
    assert await written(form) == await written(form)
    assert blobs.opened == 2


async def test_a_form_without_files_is_one_piece() -> None:
    """The most frequent message costs one write."""
    sheet = Sheet()
    await MessageForm("m", "d", [], MemoryBlobs()).write(sheet)
    assert len(sheet.pieces) == 1


async def test_the_archives_error_is_kept() -> None:
    """A damaged blob ends the writing, and can be told from a broken connection."""
    blobs = MemoryBlobs()
    blob = blobs.add(b"x", "a")
    blobs.spoil(blob)
    form = MessageForm("m", "d", [blob], blobs)
    form.check()
    with pytest.raises(StoreError):
        await written(form)
    with pytest.raises(StoreError):
        form.check()


@pytest.mark.parametrize("content", [b"", b"x" * 30_000])
async def test_a_form_is_never_whole_once_the_lease_is_over(content: bytes) -> None:
    """It is asked for after every attachment: what nobody can take for a message was not sent."""
    blobs = MemoryBlobs()
    files = [blobs.add(content, "a")] if content else []
    form, sheet = MessageForm("m", "d", files, blobs, Over(looks=1)), Sheet()
    assert len(await written(form)) == form.size
    with pytest.raises(Unreachable) as error:
        await form.write(sheet)
    assert error.value.certain
    assert not b"".join(sheet.pieces).endswith(b"--\r\n")
    with pytest.raises(Unreachable):
        form.check()


@pytest.mark.parametrize(
    ("name", "spelled"),
    [
        ("研究 报告.pdf", "研究 报告.pdf"),
        ('a"b.txt', "a%22b.txt"),
        ("a\r\nX-Evil: 1", "a%0D%0AX-Evil: 1"),
        ("a\x00b\u2028c", "a_b_c"),
        ("", "file"),
    ],
)
def test_no_name_breaks_out_of_its_header(name: str, spelled: str) -> None:
    """Names are spelled as browsers do; nothing in them ends the header."""
    assert file_name(name) == spelled


async def test_a_strange_media_type_is_replaced() -> None:
    """A type from a stranger's file cannot add headers."""
    form = MessageForm("m", "d", [Blob("0" * 64, 0, "a", media_type="x\r\nX-Evil: 1")], MemoryBlobs())
    assert b"Evil" not in form._files[0][0]
