"""Makes `files/` with other people's libraries: `python make_files.py`, in an environment that has
python-docx, openpyxl, XlsxWriter, python-pptx, odfpy, xlwt, msoffcrypto-tool, reportlab, pypdf,
Pillow, py7zr.

Rules of this file: it is no test and nothing runs it; it says how the files were made, so that they can be
made again. What they say is what the tests look for. No library is called twice for the same kind of file.
"""

from __future__ import annotations

from pathlib import Path

import docx
import msoffcrypto.format.ooxml
import openpyxl
import pptx
import py7zr
import pypdf
import xlsxwriter
import xlwt
from odf.opendocument import OpenDocumentSpreadsheet, OpenDocumentText
from odf.table import Table, TableCell, TableRow
from odf.text import P
from openpyxl.comments import Comment
from PIL import Image
from pypdf.generic import DictionaryObject, NameObject, TextStringObject
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas

FILES = Path(__file__).with_name("files")


def documents() -> None:
    """A document, locked as well, and one of OpenDocument."""
    one = docx.Document()
    one.add_heading("Quarterly note", 1)
    paragraph = one.add_paragraph("这是")
    paragraph.add_run("内幕").bold = True
    paragraph.add_run("消息。Account 88")
    paragraph.add_run("12345678")
    table = one.add_table(2, 2)
    for at, text in enumerate(("账户", "8812345678", "Name", "Alice Wong")):
        table.cell(at // 2, at % 2).text = text
    one.sections[0].header.paragraphs[0].text = "In the header"
    one.sections[0].footer.paragraphs[0].text = "In the footer"
    one.core_properties.title = "A title that nobody sees"
    one.add_comment(paragraph.runs[0], text="In a comment", author="Alice Wong", initials="AW")
    one.save(FILES / "note.docx")
    with (FILES / "note.docx").open("rb") as source, (FILES / "locked.docx").open("wb") as target:
        msoffcrypto.format.ooxml.OOXMLFile(source).encrypt("secret", target)
    other = OpenDocumentText()
    other.text.addElement(P(text="OpenDocument 内幕消息"))
    other.save(FILES / "note.odt")


def books() -> None:
    """Workbooks of four libraries."""
    one = openpyxl.Workbook()
    sheet = one.active
    sheet.title = "持仓"
    sheet["A1"], sheet["B1"] = "账户", 8812345678
    sheet["A2"], sheet["B2"] = "card", 4111111111111111
    sheet["A3"], sheet["B3"] = "same", "=B1*2"
    sheet["A1"].comment = Comment("In a cell's comment", "Alice Wong")
    hidden = one.create_sheet("Hidden notes")
    hidden.sheet_state = "hidden"
    hidden["A1"] = "并购 in a hidden sheet"
    one.save(FILES / "book.xlsx")
    with xlsxwriter.Workbook(FILES / "other-book.xlsx") as book:
        sheet = book.add_worksheet("S1")
        sheet.write("A1", "shared 字符串")
        sheet.write("A2", "shared 字符串")
        sheet.write_number("A3", 6222021234567890)
        sheet.insert_textbox("C3", "In a text box")
    old = xlwt.Workbook()
    old.add_sheet("S").write(0, 0, "legacy text")
    old.save(str(FILES / "legacy.xls"))
    open_one, table, row = OpenDocumentSpreadsheet(), Table(name="Sheet 甲"), TableRow()
    for text in ("账户", "8812345678"):
        cell = TableCell()
        cell.addElement(P(text=text))
        row.addElement(cell)
    table.addElement(row)
    open_one.spreadsheet.addElement(table)
    open_one.save(FILES / "book.ods")


def slides() -> None:
    """A slide with notes."""
    show = pptx.Presentation()
    slide = show.slides.add_slide(show.slide_layouts[1])
    slide.shapes.title.text = "Slide 标题"
    slide.placeholders[1].text = "First line\nSecond line"
    slide.notes_slide.notes_text_frame.text = "In the speaker's notes"
    show.save(FILES / "slides.pptx")


def pdfs() -> None:
    """One that says something, and what can be done to it."""
    pdfmetrics.registerFont(UnicodeCIDFont("STSong-Light"))
    page = Canvas(str(FILES / "note.pdf"), invariant=1)
    page.setTitle("A title that nobody sees")
    page.drawString(72, 720, "Account 8812345678")
    page.setFont("STSong-Light", 12)
    page.drawString(72, 700, "这是内幕消息")
    page.showPage()
    page.drawString(72, 720, "Second page")
    page.save()
    for name, password in (("locked", "secret"), ("owner-locked", "")):
        lock = StandardEncryption(password, ownerPassword="owner", strength=128)
        page = Canvas(str(FILES / f"{name}.pdf"), invariant=1, encrypt=lock)
        page.drawString(72, 720, "Behind a lock")
        page.save()
    script = pypdf.PdfWriter(clone_from=FILES / "note.pdf")
    action = {
        NameObject("/S"): NameObject("/JavaScript"),
        NameObject("/JS"): TextStringObject("app.alert('x')"),
    }
    script.root_object[NameObject("/OpenAction")] = script._add_object(DictionaryObject(action))
    script.write(FILES / "script.pdf")
    carrier = pypdf.PdfWriter(clone_from=FILES / "note.pdf")
    carrier.add_attachment("inner.txt", "附件 inside the PDF".encode())
    carrier.write(FILES / "carries.pdf")
    locked = pypdf.PdfWriter(clone_from=FILES / "note.pdf")
    locked.encrypt("secret", algorithm="AES-256")
    locked.write(FILES / "locked-aes.pdf")


def pictures_and_archives() -> None:
    """A dot in six formats and as a PDF; an archive open, locked, and locked with its names."""
    dot = Image.new("RGB", (8, 8), "red")
    for ending in ("png", "jpg", "gif", "bmp", "tiff", "webp"):
        dot.save(FILES / f"dot.{ending}")
    dot.save(FILES / "picture.pdf")
    for name, options in (
        ("open", {}),
        ("locked", {"password": "secret"}),
        ("locked-names", {"password": "secret", "header_encryption": True}),
    ):
        with py7zr.SevenZipFile(FILES / f"{name}.7z", "w", **options) as archive:
            archive.writestr("hello", "a.txt")


if __name__ == "__main__":
    for make in (documents, books, slides, pdfs, pictures_and_archives):
        make()
