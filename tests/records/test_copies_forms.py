"""Forms of a copy: complete, readable by others, and the same bytes for the same record."""

from __future__ import annotations

import base64
import email
import email.policy
import json
from dataclasses import replace
from email.message import EmailMessage

import pytest
from archives import ALICE, PDF, record

from bridge.errors import Refused
from bridge.records.copies import FORMS, RECALLS, Enclosed, Record, eml, letter, line, message_id, native
from bridge.records.transcript import BRIDGE, OTHER, Party

FILE = Enclosed("报告.pdf", "application/pdf", len(PDF), "ab" * 32, "sealed")
LOST = Enclosed("lost.png", "image/png", -1)
HOSTILE = "line\r\nBcc: somebody@evil.example\r\n\r\n\x00\x1b[2J\ud800 <b>"


@pytest.mark.parametrize("form", FORMS)
def test_the_same_bytes(form: str) -> None:
    """Twice the same record is twice the same bytes; another record is other bytes."""
    assert FORMS[form](record(7, FILE)) == FORMS[form](record(7, FILE))
    assert FORMS[form](record(7)) != FORMS[form](record(8))


def test_nothing_is_left_out() -> None:
    """Words, raw bytes, people, files with digests, entries with leaf and content; jsonl is one line of
    it."""
    told = json.loads(native(record(7, FILE, LOST)))
    assert told == json.loads(line(record(7, FILE, LOST)))
    assert line(record(7)).count(b"\n") == 1
    assert (told["said"]["text"], base64.b64decode(told["raw"])) == ("你好 Li Lei", b"<raw>")
    assert [one["sha256"] for one in told["files"]] == ["ab" * 32, ""]
    assert [one["leaf"] for one in told["ledger"]] == ["ab", "cd"]
    assert told["ledger"][1]["content"] == {"reason": "a rule"}


def test_mail_names_what_is_not_inside() -> None:
    """An attachment is inside, beside, or could not be had; each is named in the text."""
    mail = email.message_from_bytes(eml(record(7, FILE, LOST)), policy=email.policy.default)
    text = mail.get_body().get_content()
    assert "报告.pdf" in text and "beside" in text and "could not be had" in text
    assert mail["From"].addresses[0].display_name == "李雷"
    assert mail["To"].addresses[0].addr_spec == "alice.wong@bank.example"


def test_hostile_words_stay_words() -> None:
    """What people write, and what they are called, starts no header, and is in the record as it was."""
    one = replace(record(7, text=HOSTILE), sender=replace(ALICE, name=HOSTILE.replace("\ud800", "")))
    mail = email.message_from_bytes(eml(one), policy=email.policy.default)
    assert mail["Bcc"] is None
    whole = email.message_from_bytes(
        letter(one, (), "a@bank.example", "b@c.example"), policy=email.policy.default
    )
    assert whole["Bcc"] is None
    assert whole["Message-ID"] == message_id(one)
    (_, inner) = whole.iter_parts()
    assert inner.get_content_type() == "message/rfc822"


def test_names_of_files_and_people_start_no_header() -> None:
    """A name with a line break, or half a sign, is written all the same: of a file, of somebody with an
    e-mail address, and the address and the media type themselves."""
    file = Enclosed(
        f"evil\r\nX-Bad: 1{HOSTILE}.pdf", "application/pdf\r\nX-Bad: y", len(PDF), "ab" * 32, "sealed"
    )
    alice = replace(ALICE, name=HOSTILE)
    one = replace(record(7, file), sender=alice, readers=(alice,), title=HOSTILE, conversation=HOSTILE)
    whole, mail = _read(letter(one, [PDF], "a@bank.example", "b@c.example")), _read(eml(one, [PDF]))
    for part in (whole, *whole.walk(), *mail.walk()):
        assert (part["X-Bad"], part["Bcc"]) == (None, None)
    attached = next(mail.iter_attachments())
    assert (attached.get_content_type(), attached.get_content()) == ("application/octet-stream", PDF)
    assert mail["From"].addresses[0].addr_spec == ALICE.address


def test_headers_are_those_an_archive_sorts_by() -> None:
    """Letter and mail inside say when it was written and when archived, network, direction, conversation; a
    time that no date can have is that of archiving."""
    for mail in _both(record(7)):
        assert mail["Date"].datetime.isoformat() == "2026-01-05T07:59:00+00:00"
        assert mail["X-Weighbridge-Archived"] == "2026-01-05T08:00:00Z"
        told = [mail[f"X-Weighbridge-{name}"] for name in ("Network", "Direction", "Conversation")]
        assert told == ["weixin", "inbound", "pair/1"]
        assert (mail["In-Reply-To"], mail["References"]) == (None, None)
    for sent_at in (0, -5, 1 << 60):
        odd = replace(record(7), said={"text": "", "sent_at": sent_at})
        assert {str(mail["Date"]) for mail in _both(odd)} == {"Mon, 05 Jan 2026 08:00:00 +0000"}
    assert str(_both(record(7))[1]["Subject"]) == "Alice Wong ↔ 李雷: message 7"
    ours = replace(record(8), sender=replace(ALICE, role=BRIDGE))
    assert [mail["X-Weighbridge-Direction"] for mail in _both(ours)] == ["notice", "notice"]
    nobodys = Party("weixin", "wmX", "", "wmx-1@clients.bank.example", OTHER)
    (outer, mail) = _both(replace(record(9), sender=nobodys, readers=(), conversation=""))
    assert (outer["X-Weighbridge-Direction"], mail["X-Weighbridge-Conversation"]) == (None, None)
    assert mail["To"].addresses == ()


def test_what_a_mail_follows() -> None:
    """A recall says what it takes back, and answers that message's mail; a second revision answers the first
    one, so that nobody takes it for a second message. Letters answer letters, and mails mails."""
    recall = replace(record(8, text=""), earlier=(RECALLS, 7))
    assert "takes back message 7" in _both(recall)[1].get_body().get_content()
    assert "takes back message 7" in _both(recall)[1]["Subject"]
    assert json.loads(native(recall))["earlier"] == {"relation": "takes back", "message": 7}
    again = replace(recall, revision=2)
    for n in (0, 1):
        first, second, later = (_both(one)[n] for one in (record(7), recall, again))
        assert second["In-Reply-To"] == second["References"] == first["Message-ID"]
        assert later["References"].split() == [first["Message-ID"], second["Message-ID"]]
        assert later["In-Reply-To"] == second["Message-ID"] != later["Message-ID"]


def _both(one: Record) -> tuple[EmailMessage, EmailMessage]:
    """Its letter, and the mail inside."""
    outer = _read(letter(one, (), "a@bank.example", "b@c.example"))
    return outer, list(outer.iter_parts())[1].get_content()


def _read(data: bytes) -> EmailMessage:
    read: EmailMessage = email.message_from_bytes(data, policy=email.policy.default)
    return read


@pytest.mark.parametrize(
    "media", ["message/rfc822", "multipart/mixed", "Message/External-Body", "pdf", "a/b/c", ""]
)
def test_what_would_be_opened_as_mail_is_attached_as_bytes(media: str) -> None:
    """A mail among the attachments is what it was, byte by byte, and so is whatever calls itself in parts."""
    inner = b"From: a@b.example\r\nSubject: a deal\r\n\r\nhello\r\n"
    one = record(7, Enclosed("deal.eml", media, len(inner), "ab" * 32, "sealed"))
    mail = email.message_from_bytes(eml(one, [inner]), policy=email.policy.default)
    attached = next(mail.iter_attachments())
    assert (attached.get_filename(), attached.get_content()) == ("deal.eml", inner)


@pytest.mark.parametrize("form", FORMS)
def test_what_cannot_be_written_is_a_persons_matter(form: str) -> None:
    """A record that a form cannot hold is refused by name, and ends nothing else."""
    with pytest.raises(Refused) as refused:
        FORMS[form](replace(record(7), said={"text": {1, 2}}))
    assert refused.value.code == "unwritable"
