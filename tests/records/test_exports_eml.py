"""One mail a conversation and day: Python's own parser reads names, texts and attachments back."""

from __future__ import annotations

import email
import hashlib
from email import policy
from email.message import EmailMessage
from html.parser import HTMLParser

import corpus
import pytest

from bridge.records.exports.eml import EML
from bridge.records.exports.legible import spelled


@pytest.fixture(scope="module")
def out() -> corpus.Memory:
    """The corpus, exported."""
    memory = corpus.Memory()
    EML.write(corpus.request(), corpus.slices(), {}, memory)
    return memory


@pytest.fixture(scope="module")
def mails(out: corpus.Memory) -> list[EmailMessage]:
    """The mails in the order of the slices."""
    names = sorted(name for name in out.files if name.endswith(".eml"))
    return [email.message_from_bytes(out.files[name], policy=policy.default) for name in names]


class Texts(HTMLParser):
    """The texts of messages on a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._open = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "div" and ("class", "text") in attrs:
            self.found.append("")
            self._open = True

    def handle_endtag(self, tag: str) -> None:
        self._open = self._open and tag != "div"

    def handle_data(self, data: str) -> None:
        if self._open:
            self.found[-1] += data


def test_mails_are_well_formed(mails: list[EmailMessage]) -> None:
    """No defect is found, and no text or name could add a header."""
    assert len(mails) == 3
    for mail in mails:
        assert not any(part.defects for part in mail.walk())
        assert mail["Bcc"] is None
        assert mail["X-GlobalRelay-MsgType"] is None
        assert mail["Date"].datetime.utcoffset().total_seconds() == 0


def test_names_in_headers_are_read_back(mails: list[EmailMessage]) -> None:
    """Chinese names stand in encoded words (RFC 2047) beside corporate addresses."""
    people = {(one.display_name, one.addr_spec) for one in mails[0]["To"].addresses}
    assert (corpus.LI_LEI.name, corpus.LI_LEI.address) in people
    assert (corpus.ALICE.name, corpus.ALICE.address) in people
    assert "李雷" in str(mails[0]["Subject"])


def test_every_text_is_in_its_mail(mails: list[EmailMessage]) -> None:
    """Message by message, whatever line ends or markup it has."""
    for mail, one in zip(mails, sorted(corpus.slices(), key=lambda one: (one.day, one.key)), strict=True):
        reader = Texts()
        page = mail.get_body(("html",))
        assert page is not None
        reader.feed(page.get_content())
        told = [text.replace("\r\n", "\n") for text in reader.found]
        assert told == [spelled(line.text).replace("\r\n", "\n") for line in one.lines]


def test_attachments_are_inside(mails: list[EmailMessage]) -> None:
    """20 MB and nothing at all come back byte for byte."""
    found = [part.get_content() for part in mails[0].iter_attachments() if part["X-Weighbridge-SHA256"]]
    digests = {
        hashlib.sha256(data if isinstance(data, bytes) else data.encode()).hexdigest() for data in found
    }
    assert digests == set(corpus.BLOBS)


def test_what_is_too_large_for_a_mail_lies_beside(mails: list[EmailMessage]) -> None:
    """An attachment above the limit is never dropped: it is a file, and the export says so."""
    memory = corpus.Memory()
    EML.write(corpus.request(), corpus.slices()[:1], {"largest": 1_000_000}, memory)
    assert corpus.LARGE in memory.files.values()
    assert ("too-large", 6) in {(code, number) for code, number, _ in memory.warnings}
    assert all(len(data) <= 1_000_000 for name, data in memory.files.items() if name.endswith(".eml"))
