"""Mails for Global Relay: everything inside, read back by Python's own parser."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from html.parser import HTMLParser

import corpus
import pytest

from bridge.errors import ConfigError
from bridge.records.exports.globalrelay import GLOBALRELAY, LARGEST
from bridge.records.exports.legible import spelled
from bridge.records.transcript import Slice

TYPE = {"msgtype": "Weighbridge"}


def _written(*slices: Slice, options: Mapping[str, object] = TYPE) -> corpus.Memory:
    out = corpus.Memory()
    GLOBALRELAY.write(corpus.request(), slices or corpus.slices(), options, out)
    return out


@pytest.fixture(scope="module")
def out() -> corpus.Memory:
    """The corpus, written once."""
    return _written()


def _mail(octets: bytes) -> EmailMessage:
    mail = message_from_bytes(octets, policy=policy.default)
    assert isinstance(mail, EmailMessage)
    assert not [part.defects for part in mail.walk() if part.defects]
    return mail


@pytest.fixture(scope="module")
def mails(out: corpus.Memory) -> list[EmailMessage]:
    """The same, read."""
    return _mails(out)


def _mails(out: corpus.Memory) -> list[EmailMessage]:
    return [_mail(octets) for name, octets in out.files.items() if name.endswith(".eml")]


class _Page(HTMLParser):
    """Messages of a mail: text, and what is said of it as (name, value)."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.texts: dict[int, str] = {}
        self.said: dict[int, list[tuple[str, str]]] = {}
        self._number, self._place, self._name = 0, "", ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "article":
            self._number = int(str(given["id"]).removeprefix("message-"))
            self.texts[self._number], self.said[self._number] = "", []
        self._place = "text" if given.get("class") == "text" else tag
        if tag == "dd" and self._number:
            self.said[self._number].append((self._name, ""))

    def handle_endtag(self, tag: str) -> None:
        self._place = ""
        self._number = 0 if tag == "article" else self._number

    def handle_data(self, data: str) -> None:
        if self._place == "text":
            self.texts[self._number] += data
        elif self._place == "dt":
            self._name = data
        elif self._place == "dd" and self._number:
            name, value = self.said[self._number][-1]
            self.said[self._number][-1] = (name, value + data)


def test_every_message_is_there_with_all_that_is_known(mails: list[EmailMessage]) -> None:
    """Text, what was sent, decisions, deliveries, edits and recalls; message by message."""
    for one, mail in zip(corpus.slices(), mails, strict=True):
        page = _Page(mail.get_body(("html",)).get_content())
        assert list(page.texts) == [line.number for line in one.lines]
        for line in one.lines:
            said = page.said[line.number]
            assert page.texts[line.number] == spelled(line.text)
            assert len([1 for name, _ in said if name == "Decision"]) == len(line.decisions)
            assert len([1 for name, _ in said if name == "Delivery"]) == len(line.deliveries)
            links = [line.edits, line.recalls, line.notice_for]
            assert [value for name, value in said if name in ("Replaces", "Takes back", "Notice about")] == [
                f"message/{number}" for number in links if number is not None
            ]
        plain = mail.get_body(("plain",)).get_content()
        assert all(f"Record: message/{line.number}\n" in plain for line in one.lines)
    assert "Bob Li (symphony 7002) joined: paired" in mails[0].get_body(("plain",)).get_content()


def test_headers_are_those_an_archive_sorts_by(mails: list[EmailMessage]) -> None:
    """Corporate addresses for everybody, Chinese names, the assigned type, the end of the batch in UTC."""
    mail = mails[0]
    assert [one.addr_spec for one in mail["From"].addresses] == ["alice.wong@bank.example"]
    assert {one.addr_spec: one.display_name for one in mail["To"].addresses} == {
        one.address: one.name for one in corpus.slices()[0].participants
    }
    assert mail["Subject"] == "Chat: 4 Users, 8 Messages, 0 Minutes"
    assert mail["X-GlobalRelay-MsgType"] == "Weighbridge"
    assert mail["X-Weighbridge-Network"] == "symphony, weixin"
    assert mail["X-Weighbridge-Direction"] == "inbound, outbound"
    assert mail["X-Weighbridge-Title"] == "Alice Wong ↔ 李雷"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Precedence"] == "bulk"
    end = max(item.at for item in corpus.slices()[0].items)
    assert int(parsedate_to_datetime(mail["Date"]).timestamp()) == end // 1000
    assert mail["Date"].endswith("+0000")


def test_a_name_brings_no_header_of_its_own(mails: list[EmailMessage]) -> None:
    """Breaks in the name of a stranger and of his conversation are spaces."""
    mail = mails[1]
    assert "Bcc" not in mail
    assert [one.addr_spec for one in mail["To"].addresses] == [corpus.HOSTILE.address]


def test_attachments_are_inside_by_digest(mails: list[EmailMessage]) -> None:
    """20 MB as well as nothing; what is missing is said in words."""
    mail = mails[0]
    found = [
        (part["X-Weighbridge-Message"], hashlib.sha256(part.get_payload(decode=True)).hexdigest())
        for part in mail.iter_attachments()
    ]
    files = next(line.files for line in corpus.slices()[0].lines if line.number == 6)
    assert found == [("message/6", file.digest) for file in files if file.digest]
    assert "missing: the network did not give it: gone" in mail.get_body(("plain",)).get_content()


def test_what_a_mail_cannot_show_is_attached_unchanged(out: corpus.Memory, mails: list[EmailMessage]) -> None:
    """The record as JSON has the very signs, and the manifest is told which messages it is."""
    originals = [
        json.loads(part.get_payload(decode=True))
        for part in mails[2].iter_attachments()
        if part.get_content_type() == "application/json"
    ]
    changed = [line for line in corpus.slices()[2].lines if spelled(line.text) != line.text]
    assert [one["text"] for one in originals] == [line.text for line in changed]
    assert [number for code, number, _ in out.warnings if code == "spelled"] == [
        line.number for line in changed
    ]


def test_above_the_limit_there_are_further_mails_and_nothing_is_dropped() -> None:
    """Each keeps to the limit; what alone is too large lies beside, named in the mail and the manifest."""
    small = corpus.enclosure("small.txt", corpus.SMALL, "text/plain")
    large = corpus.enclosure("large.bin", corpus.LARGE, "application/octet-stream")
    items = [corpus.line(number, "files", files=(small,) * 5) for number in range(1, 41)]
    items.append(corpus.line(41, "one", files=(large,)))
    out = _written(replace(corpus.slices()[0], items=tuple(items)), options={"largest": 60_000})
    mails = _mails(out)
    assert len(mails) > 1
    assert all(len(octets) <= 60_000 for name, octets in out.files.items() if name.endswith(".eml"))
    inside = [part["X-Weighbridge-Message"] for mail in mails for part in mail.iter_attachments()]
    assert inside == [f"message/{number}" for number in range(1, 41) for _ in range(5)]
    (beside,) = [name for name in out.files if name.startswith("attachments/")]
    assert hashlib.sha256(out.files[beside]).hexdigest() == large.digest
    assert [(code, number) for code, number, _ in out.warnings] == [("too-large", 41)]
    assert beside in mails[-1].get_body(("plain",)).get_content()
    assert [mail["X-Weighbridge-Mail"] for mail in mails[:2]] == [f"1/{len(mails)}", f"2/{len(mails)}"]


def test_the_same_records_are_the_same_mail_whoever_asks(mails: list[EmailMessage]) -> None:
    """Bytes do not change from one time to the next, and an archive knows a mail that is sent again."""
    again = corpus.Memory()
    GLOBALRELAY.write(replace(corpus.request(), id="ffff"), corpus.slices()[1:], TYPE, again)
    assert [mail["Message-ID"] for mail in _mails(again)] == [mail["Message-ID"] for mail in mails[1:]]
    assert _written(*corpus.slices()[1:]).files == _written(*corpus.slices()[1:]).files


def test_lines_are_short_and_end_as_mail_wants() -> None:
    """At most 998 characters (RFC 5322, section 2.1.1), CRLF only."""
    for octets in _written(*corpus.slices()[1:]).files.values():
        lines = octets.split(b"\r\n")
        assert max(map(len, lines)) <= 998
        assert not any(b"\n" in line or b"\r" in line for line in lines)


def test_lone_surrogates_and_unknown_sizes_are_taken() -> None:
    """A file whose size nobody said is counted."""
    file = replace(corpus.enclosure("a.pdf", corpus.SMALL), size=-1)
    one = replace(corpus.slices()[0], items=(corpus.line(1, "\ud800", files=(file,)),))
    (mail,) = _mails(_written(one))
    assert "⟦U+D800⟧" in mail.get_body(("html",)).get_content()
    assert [part.get_content_type() for part in mail.iter_attachments()] == [
        "application/json",
        "application/pdf",
    ]


def test_options_are_checked() -> None:
    """A subject by title; a limit that is none is refused; without a type there is no header for it."""
    (mail,) = _mails(_written(corpus.slices()[1], options={"subject": "title"}))
    assert mail["Subject"].startswith("Weighbridge export: ")
    assert "X-GlobalRelay-MsgType" not in mail
    with pytest.raises(ConfigError):
        _written(options={"largest": "much"})
    assert LARGEST == 250_000_000
