"""Office documents that other people's programs wrote: all that a person may come to see is read."""

from __future__ import annotations

import pytest
from inspection_rig import FILES, changed, looked, zipped

from bridge.inspection import bounds

WORD = '<w:document xmlns:w="w"><w:body><w:p>{}</w:p></w:body></w:document>'
TYPES = '<Types><Override ContentType="application/vnd.ms-word.document.macroEnabled.main+xml"/></Types>'

SAID = {
    "note.docx": (
        *("Quarterly note", "这是内幕消息", "8812345678", "In the header", "In the footer", "In a comment"),
        *("A title that nobody sees", "账户\n\t8812345678"),
    ),
    "book.xlsx": (
        *("持仓", "账户\t8812345678", "4111111111111111", "Hidden notes", "并购 in a hidden sheet"),
        "In a cell's comment",
    ),
    "other-book.xlsx": ("shared 字符串", "6222021234567890", "In a text box"),
    "slides.pptx": ("Slide 标题", "First line", "Second line", "In the speaker's notes"),
    "note.odt": ("OpenDocument 内幕消息",),
    "book.ods": ("Sheet 甲", "账户", "8812345678"),
}


@pytest.mark.parametrize("name", SAID)
def test_text_is_read_wherever_it_stands(name: str) -> None:
    """Runs, tables, headers, comments, notes, hidden sheets, long numbers: every word is there, whole."""
    kind, look = looked(FILES / name)
    assert kind == name.rpartition(".")[2]
    assert [words for words in SAID[name] if words not in look.text] == []
    assert (look.encrypted, look.macros, look.unreadable, look.cut) == (False, False, "", False)


def test_macros_are_seen() -> None:
    """A macro project, a content type that promises one, and a template elsewhere that would bring one."""
    template = (
        '<Relationships><Relationship Type="x/attachedTemplate" TargetMode="External" '
        'Target="https://client.example/a.dotm"/></Relationships>'
    )
    note = FILES / "note.docx"
    for data in (
        changed(note, word__vbaProject_DOT_bin=b"x"),
        changed(note, **{"[Content_Types]_DOT_xml": TYPES}),
        changed(note, word___rels__settings_DOT_xml_DOT_rels=template),
    ):
        kind, look = looked(data, "note.docx")
        assert (kind, look.macros) == ("docx", True)


def test_macros_of_opendocument_are_seen() -> None:
    """Basic in an OpenDocument file counts."""
    assert looked(changed(FILES / "note.odt", Basic__Standard__Module1_DOT_xml="<x/>"))[1].macros


def test_an_encrypted_opendocument_asks_for_a_password() -> None:
    """Its manifest says which parts are encrypted."""
    manifest = "<m:manifest xmlns:m='m'><m:file-entry><m:encryption-data/></m:file-entry></m:manifest>"
    data = changed(FILES / "note.odt", **{"META-INF__manifest_DOT_xml": manifest})
    _, look = looked(data, "note.odt")
    assert (look.encrypted, look.text, look.unreadable) == (True, "", "it asks for a password")


def test_deleted_words_and_links_are_read() -> None:
    """Tracked deletions are still in the file, and where a link leads is not what it says."""
    body = WORD.format("<w:del><w:r><w:delText>内幕</w:delText></w:r></w:del>")
    rels = (
        '<Relationships><Relationship TargetMode="External" Target="https://t.example/join"/></Relationships>'
    )
    _, look = looked(
        changed(FILES / "note.docx", word__document_DOT_xml=body, word___rels__document_DOT_xml_DOT_rels=rels)
    )
    assert "内幕" in look.text
    assert "https://t.example/join" in look.text


def test_what_is_embedded_is_looked_into() -> None:
    """A workbook within a document is read; an object that nobody can read is named; a program too."""
    book = (FILES / "book.xlsx").read_bytes()
    note = FILES / "note.docx"
    _, look = looked(changed(note, word__embeddings__book_DOT_xlsx=book))
    assert "并购 in a hidden sheet" in look.text
    assert look.unreadable == ""
    _, look = looked(changed(note, word__embeddings__ole_DOT_bin=b"\0\1\2"))
    assert look.unreadable
    _, look = looked(changed(note, word__embeddings__ole_DOT_bin=b"\x7fELF\2"))
    assert look.unreadable == "it has a program inside"


def test_shared_strings_that_lead_nowhere_are_empty() -> None:
    """A cell may point past the strings, or at no number at all."""
    sheet = '<worksheet><row><c t="s"><v>99</v></c><c t="s"><v>x</v></c><c><v>7</v></c></row></worksheet>'
    _, look = looked(changed(FILES / "book.xlsx", xl__worksheets__sheet1_DOT_xml=sheet))
    assert "7\t" in look.text


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        (b"<w:document", "it is damaged"),
        (b"", "it is damaged"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "it has XML with definitions of its own"),
        (b"<a>" * 5000, "it nests deeper than is read"),
    ],
)
def test_hostile_parts_are_named(part: bytes, reason: str) -> None:
    """Broken XML, entities that would grow, and endless nesting end the look and say so."""
    assert looked(changed(FILES / "note.docx", word__document_DOT_xml=part))[1].unreadable == reason


def test_bombs_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a part says of its size is not believed: what comes out is counted."""
    monkeypatch.setattr(bounds, "UNPACKED", 300_000)
    data = changed(FILES / "note.docx", word__document_DOT_xml=WORD.format(" " * 1_000_000))
    assert looked(data)[1].unreadable == "it grows too large when it is unpacked"


def test_text_is_cut_where_it_is_too_much() -> None:
    """What is kept is the beginning, exactly as much as fits, and marked."""
    _, look = looked(FILES / "note.docx", limit=30)
    assert (len(look.text), look.cut) == (30, True)


def test_a_plain_archive_is_no_document() -> None:
    """An archive with a folder of the right name, but without the table of types, is an archive."""
    assert looked(zipped({"word/document.xml": "<a/>"}), "note.docx")[0] == "zip"
