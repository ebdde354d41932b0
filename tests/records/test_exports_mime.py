"""Mails that Python's own parser reads back, of which no line is too long and no header is a stranger's."""

from __future__ import annotations

import io
from email import message_from_bytes, policy
from email.header import decode_header, make_header

import corpus
import pytest

from bridge.records.exports import mime

NAMES = (
    "李雷",
    "Alice Wong",
    'O"Brien, \\ Ann',
    "=?utf-8?b?x?=",
    "長" * 100,
    "a" * 200,
    "",
    corpus.HOSTILE.name,
)


@pytest.mark.parametrize("name", NAMES)
def test_headers_say_what_they_were_given(name: str) -> None:
    """In lines of at most 78 characters, in ASCII, and as one header."""
    written = mime.header("Subject", name)
    read = message_from_bytes(written + b"\r\nbody")
    assert read.keys() == ["Subject"]
    assert str(make_header(decode_header(read["Subject"]))) == mime.one_line(name)
    assert all(len(line) <= 78 and line.isascii() for line in written.split(b"\r\n"))


@pytest.mark.parametrize("name", NAMES)
def test_addresses_stay_addresses(name: str) -> None:
    """A name cannot bring an address of its own."""
    boxes = [mime.mailbox(name, "a@bank.example"), mime.mailbox("Bob Li", "b@bank.example")]
    read = message_from_bytes(mime.mailboxes("To", boxes) + b"\r\n", policy=policy.default)
    assert [one.addr_spec for one in read["To"].addresses] == ["a@bank.example", "b@bank.example"]
    assert read.keys() == ["To"]


@pytest.mark.parametrize(
    "name", ["plain.pdf", "条款 term sheet.pdf", "長" * 80 + ".pdf", 'a";b=c\r\nX: y.txt']
)
def test_file_names_come_back(name: str) -> None:
    """Also those that RFC 2231 has to cut."""
    written = b"".join(mime.file_part("application/pdf", name, [b"x"]))
    read = message_from_bytes(written, policy=policy.default)
    assert read.get_filename() == mime.one_line(name)
    assert "X" not in read
    assert all(len(line) <= 200 for line in written.split(b"\r\n"))


def test_a_media_type_that_is_none_is_bytes() -> None:
    """Neither a header's break nor a mail inside a mail comes in through it."""
    for media in ("", "text/plain\r\nX: y", "message/rfc822", "Message/RFC822", "multipart/mixed"):
        read = message_from_bytes(b"".join(mime.file_part(media, "n", [b"x"])))
        assert read.get_content_type() == "application/octet-stream"
        assert read.get_payload(decode=True) == b"x"


@pytest.mark.parametrize("size", [0, 1, 56, 57, 58, 114, 1000])
def test_base64_in_pieces_is_base64_of_the_whole(size: int) -> None:
    """Whatever the pieces; and its size is known before."""
    octets = bytes(range(256)) * 4
    whole = octets[:size]
    written = b"".join(mime.encoded(whole[at : at + 10] for at in range(0, size, 10)))
    assert len(written) == mime.larger(size)
    file = io.BytesIO()
    encoder = mime.Base64(file)
    for at in range(0, size, 7):
        encoder.write(whole[at : at + 7])
    encoder.finish()
    assert file.getvalue() == written
    assert (
        message_from_bytes(b"Content-Transfer-Encoding: base64\r\n\r\n" + written).get_payload(decode=True)
        == whole
    )


@pytest.mark.parametrize("text", corpus.TEXTS)
def test_texts_come_back_with_every_break(text: str) -> None:
    """Carriage returns alone, too."""
    read = message_from_bytes(b"".join(mime.text_part("plain", text)))
    assert read.get_payload(decode=True).decode("utf-8") == text


def test_people_read_names_as_they_are() -> None:
    """Outside of headers nothing is encoded, and ";" still separates."""
    assert mime.mailbox_text("李;雷", "a@b.example") == "李,雷 <a@b.example>"


def test_boundaries_follow_from_content() -> None:
    """The same mail has the same boundary, another one has another."""
    assert mime.boundary("a", 1) == mime.boundary("a", 1) != mime.boundary("a", 2)
    assert mime.date_of(corpus.START) == "Mon, 21 Sep 2026 14:13:20 +0000"


@pytest.mark.parametrize("value", ["w" * 60, "w" * 61, "短" * 40, "a b" * 20, "=?" * 9])
def test_no_line_is_longer_than_78_characters(value: str) -> None:
    """RFC 5322, section 2.1.1: of headers with long names, of mailboxes, of long types; all read back."""
    address = "advisor.with.a.long.name-82761c6eb1e2@symphony.bank.example"
    kind = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
    octets = mime.header("X-Weighbridge-Conversation", value)
    octets += mime.mailboxes("From", [mime.mailbox(value, address)])
    octets += b"".join(mime.file_part(kind, value, [b"x"]))
    assert max(map(len, octets.split(b"\r\n"))) <= 78
    mail = message_from_bytes(octets, policy=policy.default)
    assert mail["X-Weighbridge-Conversation"] == value
    (box,) = mail["From"].addresses
    # Python's parser puts a space between two encoded words of a name.
    assert (box.display_name.replace(" ", ""), box.addr_spec) == (value.replace(" ", ""), address)
    assert mail.get_content_type() == kind
