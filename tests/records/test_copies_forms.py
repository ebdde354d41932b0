"""Forms of a copy: complete, readable by others, and the same bytes for the same record."""

from __future__ import annotations

import base64
import email
import email.policy
import json
from dataclasses import replace

import pytest
from archives import PDF, record

from bridge.records.copies import FORMS, Enclosed, End, eml, letter, line, message_id, native

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
    one = replace(record(7, text=HOSTILE), sender=End("weixin", "x", HOSTILE.replace("\ud800", "")))
    mail = email.message_from_bytes(eml(one), policy=email.policy.default)
    assert mail["Bcc"] is None
    whole = email.message_from_bytes(
        letter(one, (), "a@bank.example", "b@c.example"), policy=email.policy.default
    )
    assert whole["Bcc"] is None
    assert whole["Message-ID"] == message_id(one)
    (_, inner) = whole.iter_parts()
    assert inner.get_content_type() == "message/rfc822"
