"""Text in any encoding and markup: it is found however it was written down."""

from __future__ import annotations

import json
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inspection_rig import looked, zipped

from bridge.inspection.plain import encoding_of

SIMPLIFIED = "这是内幕消息，请不要告诉别人。账户 8812345678。"
TRADITIONAL = "這是內幕消息，請不要告訴別人。帳戶 8812345678，價格敏感資料。"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (SIMPLIFIED, "utf-8"),
        (SIMPLIFIED, "utf-8-sig"),
        (SIMPLIFIED, "utf-16"),
        (SIMPLIFIED, "utf-32"),
        (SIMPLIFIED, "gb18030"),
        (SIMPLIFIED, "gbk"),
        (SIMPLIFIED, "gb2312"),
        (TRADITIONAL, "utf-8"),
        (TRADITIONAL, "big5"),
        (TRADITIONAL, "gb18030"),
        ("inside information, 8812345678", "utf-16-le"),
        ("inside information, 8812345678", "utf-16-be"),
        ("Prüfung für Zürich, café", "cp1252"),
        ("plain", "ascii"),
    ],
)
def test_encodings_are_told_from_bytes(text: str, encoding: str) -> None:
    """What Windows, phones and trading systems write comes out as the same characters."""
    kind, look = looked(text.encode(encoding), "note.txt")
    assert (kind, look.text) == ("txt", text)


@pytest.mark.parametrize(
    "data", [b"\0\1\2\3", b"abc\0def", b"\x01", b"\xff\xfe\xfd\x00\x01\x02"[2:], bytes(200)]
)
def test_bytes_that_are_no_text_have_no_encoding(data: bytes) -> None:
    """Control characters are in no text: such a file is of no known type."""
    assert encoding_of(data) == ""
    kind, look = looked(data, "note.txt")
    assert (kind, look.unreadable) == ("unknown", "it is of no known type")


@given(st.text(st.characters(min_codepoint=0x20, exclude_categories=["Cs", "Cc"]), min_size=1))
def test_utf8_is_always_known(text: str) -> None:
    """No text in UTF-8 is taken for another encoding, also when it is cut through a character."""
    data = text.encode()
    assert encoding_of(b"x" + data) == encoding_of((b"x" + data)[:-1]) == "utf-8"


def test_html_is_read_as_it_is_shown() -> None:
    """Characters written as references, attributes and comments; not what programs are written in."""
    page = (
        "<html><title>T</title><p>&#20869;&#24149;消息<img alt='in a picture'><!-- aside --><style>no</style>"
    )
    kind, look = looked(page.encode(), "page.html")
    assert (kind, look.macros) == ("html", False)
    assert all(words in look.text for words in ("内幕消息", "in a picture", "aside"))
    assert "no" not in look.text.split()


@pytest.mark.parametrize(
    "markup", ["<script>x</script>", "<p onclick='x'>", "<a href='javascript:x'>", "<html><body onload=x>"]
)
def test_pages_that_run_something_have_macros(markup: str) -> None:
    """A page that does something by itself is treated like a document that does."""
    assert looked(f"<html>{markup}".encode(), "page.html")[1].macros


def test_pictures_of_markup_may_run_something_too() -> None:
    """SVG is XML; a script in it counts, and its words are read."""
    kind, look = looked(b'<?xml version="1.0"?><svg><text>hello</text><script>x</script></svg>')
    assert (kind, look.macros) == ("xml", True)
    assert "hello" in look.text


def test_escapes_of_json_are_undone() -> None:
    """A word written in escapes is the same word; halves of characters do no harm."""
    kind, look = looked(json.dumps({"text": "内幕消息", "half": "\ud800"}).encode(), "a.json")
    assert kind == "json"
    assert "内幕消息" in look.text
    look.text.encode()


def test_json_that_nests_without_end_is_named() -> None:
    """Nesting that would exhaust the parser ends the look; lines of JSON are read as they stand."""
    assert looked(b"[" * 100_000, "a.json")[1].unreadable == "it nests deeper than is read"
    assert looked(b'{"a": 1}\n{"b": 2}\n', "a.json")[1].text == '{"a": 1}\n{"b": 2}\n'


def mail(attachment: bytes, name: str) -> bytes:
    """A mail with two bodies and an attachment."""
    one = EmailMessage()
    one["Subject"], one["From"], one["To"] = "关于并购", "alice.wong@bank.example", "bob.li@bank.example"
    one.set_content("plain body 8812345678")
    one.add_alternative("<p>body &#20869;幕</p>", subtype="html")
    one.add_attachment(attachment, maintype="application", subtype="octet-stream", filename=name)
    return one.as_bytes()


def test_mails_are_read_with_what_they_carry() -> None:
    """Headers, both bodies, names of attachments, and what the attachments say."""
    kind, look = looked(mail(zipped({"inner.txt": "附件里的字"}), "图表.zip"), "mail.eml")
    assert kind == "eml"
    for words in ("关于并购", "8812345678", "内幕", "图表.zip", "附件里的字"):
        assert words in look.text


def test_programs_in_mails_are_named() -> None:
    """A program that a mail carries makes the whole unreadable, so that somebody looks."""
    assert looked(mail(b"\x7fELF\2\1", "a.pdf"), "mail.eml")[1].unreadable == "it has a program inside"


RTF = rb"""{\rtf1\ansi\ansicpg936{\fonttbl{\f0 Times New Roman;}}{\info{\title hidden}}
\uc1 A {\b bold} word\par \'c4\'da\'c4\'bb\u28040 ?\u24687?\tab 8812\{345678\par\u-10179?\u-8704?}"""


def test_rich_text_is_read() -> None:
    """Code pages, Unicode with its stand-ins, pairs of halves, escaped braces; not fonts and not notes."""
    kind, look = looked(RTF, "note.rtf")
    assert kind == "rtf"
    assert look.text.split("\n") == ["A bold word", "内幕消息\t8812{345678", "😀"]


def test_objects_in_rich_text_are_named() -> None:
    """What is embedded cannot be read, and braces without end are not followed."""
    assert "embedded" in looked(rb"{\rtf1{\object{\*\objdata 0105}}}")[1].unreadable
    assert looked(b"{\\rtf1" + b"{" * 5000)[1].unreadable == "it nests deeper than is read"
