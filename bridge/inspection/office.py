"""Text inside the ZIP packages of Office Open XML (ECMA-376) and OpenDocument (ISO 26300).

Rules of this file: every part that a person can come to see is read, also hidden sheets, deleted text,
comments and notes, in an order that keeps what stands together together. What is embedded is looked into;
what cannot be is named. Numbers in cells are written out, as Excel shows them at most.
"""

from __future__ import annotations

import re
import zipfile
from typing import BinaryIO

from bridge.inspection.archives import LOCKED, opened
from bridge.inspection.bounds import DAMAGE, Look, Unreadable
from bridge.inspection.markup import Handler, parse

_TYPES = "[Content_Types].xml"
_MAIN = (("wordprocessingml", "docx"), ("spreadsheetml", "xlsx"), ("presentationml", "pptx"))
_FOLDERS = {"word/": "docx", "xl/": "xlsx", "ppt/": "pptx"}
_ODF = {
    "application/vnd.oasis.opendocument.text": "odt",
    "application/vnd.oasis.opendocument.spreadsheet": "ods",
    "application/vnd.oasis.opendocument.presentation": "odp",
}

_WORDLESS = re.compile(
    r"(?:^|/)(?:styles|stylesWithEffects|settings|webSettings|fontTable|numbering|theme\d*|tableStyles|"
    r"presProps|viewProps|calcChain|presentation|stylesheet)\.xml$|/(?:theme|slideLayouts)/"
)
"""Parts of a package in which nobody writes."""

_EMBEDDED = re.compile(r"/embeddings/|\.bin$|/ObjectReplacements/", re.I)
_MACROS = re.compile(r"(?:^|/)vba(?:Project|Data)[^/]*\.(?:bin|xml)$|/macrosheets/|/activeX/", re.I)


def type_of(package: zipfile.ZipFile) -> str:
    """The type of a ZIP package by what it says it contains; "" when it is a plain archive."""
    names = set(package.namelist())
    if _TYPES in names:
        for folder, kind in _FOLDERS.items():
            if any(name.startswith(folder) for name in names):
                return kind
    if "mimetype" in names and package.getinfo("mimetype").file_size < 200:
        said = package.read("mimetype").decode("ascii", "replace").strip().removesuffix("-template")
        return _ODF.get(said, "")
    return ""


def read(file: BinaryIO, kind: str, look: Look) -> None:
    """Read the text of a package of type `kind` into `look`, and whether it has macros."""
    try:
        with zipfile.ZipFile(file) as package:
            if any(member.flag_bits & LOCKED for member in package.infolist()):
                look.encrypted = True
                raise Unreadable("it has a part with a password")
            if kind in _FOLDERS.values():
                _read_openxml(package, look)
            else:
                _read_opendocument(package, look)
    except DAMAGE as error:
        raise Unreadable("it is damaged") from error


# --- Office Open XML ------------------------------------------------------------------------------------


def _read_openxml(package: zipfile.ZipFile, look: Look) -> None:
    names = sorted(package.namelist(), key=_order)
    look.macros |= any(_MACROS.search(name) for name in names) or _says_macros(package, look)
    strings: list[str] = []
    for name in names:
        if name == "xl/sharedStrings.xml":
            reader = _Strings(strings, look.limit)
            parse(_part(package, name, look), reader)
            look.cut |= reader.room < 0
        elif name.startswith("xl/worksheets/") and name.endswith(".xml"):
            parse(_part(package, name, look), _Sheet(look, strings))
        elif name.endswith(".rels"):
            parse(_part(package, name, look), _Relations(look))
        elif name.endswith(".xml") and name != _TYPES and not _WORDLESS.search(name):
            parse(_part(package, name, look), _Paragraphs(look))
        elif _EMBEDDED.search(name) and not _MACROS.search(name) and "printerSettings" not in name:
            _embedded(package, name, look)


def _order(name: str) -> tuple[bool, bool, list[tuple[int, str]]]:
    """Relations, then shared strings, which the sheets need; then by name, with numbers in their order."""
    pieces = re.findall(r"\d+|\D+", name)
    natural = [(int(piece), "") if piece.isdecimal() else (0, piece) for piece in pieces]
    return not name.endswith(".rels"), name != "xl/sharedStrings.xml", natural


def _part(package: zipfile.ZipFile, name: str, look: Look) -> BinaryIO:
    with opened(package, package.getinfo(name)) as part:
        return look.unpack(part)


def _says_macros(package: zipfile.ZipFile, look: Look) -> bool:
    return b"macroenabled" in _part(package, _TYPES, look).read().lower()


def _embedded(package: zipfile.ZipFile, name: str, look: Look) -> None:
    if look.enter(_part(package, name, look), name) == "unknown":
        look.cannot("it has something embedded that cannot be read")


class _Paragraphs(Handler):
    """Words in documents, slides, notes, comments, charts: `t` holds text wherever one looks."""

    # fmt: off
    _ABOUT = frozenset({
        "title", "subject", "creator", "description", "keywords", "category", "lpwstr", "lastModifiedBy",
        "Company", "Manager",
    })
    # fmt: on
    _TEXT = frozenset({"t", "delText", "instrText", "v", "text"}) | _ABOUT
    _ENDS = frozenset({"p", "br", "cr", "si", "comment", "pt", "property", "tr"}) | _ABOUT

    def __init__(self, look: Look) -> None:
        super().__init__()
        self.look, self.inside = look, 0

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        """See `Handler`."""
        self.inside += name in self._TEXT
        if name in ("tab", "tc"):
            self.look.say("\t")
        elif name in ("sheet", "docPr", "cNvPr"):
            # Names of sheets; what is written to stand for a picture.
            said = [attributes.get("name", "") if name == "sheet" else "", attributes.get("descr", "")]
            self.look.say("".join(f"{one}\n" for one in said if one))

    def words(self, text: str) -> None:
        """See `Handler`."""
        if self.inside:
            self.look.say(text)

    def end(self, name: str) -> None:
        """See `Handler`."""
        self.inside -= name in self._TEXT
        if name in self._ENDS:
            self.look.say("\n")


class _Relations(Handler):
    """A template elsewhere brings its macros along; where links lead is text."""

    def __init__(self, look: Look) -> None:
        super().__init__()
        self.look = look

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        """See `Handler`."""
        if attributes.get("TargetMode") == "External":
            self.look.macros |= attributes.get("Type", "").endswith("/attachedTemplate")
            self.look.say(attributes.get("Target", "") + "\n")


class _Strings(Handler):
    """The strings that cells of all sheets point at, `limit` characters of them."""

    def __init__(self, strings: list[str], limit: int) -> None:
        super().__init__()
        self.strings, self.room = strings, limit
        self.now: list[str] = []
        self.inside = False

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        """See `Handler`."""
        self.inside = name == "t"
        if name == "rPh":
            self.inside = False

    def words(self, text: str) -> None:
        """See `Handler`."""
        if self.inside and self.room > 0:
            self.now.append(text[: self.room])
            self.room -= len(text)

    def end(self, name: str) -> None:
        """See `Handler`."""
        self.inside = False
        if name == "si":
            self.strings.append("".join(self.now))
            self.now.clear()


class _Sheet(Handler):
    """Cells, a row to a line."""

    def __init__(self, look: Look, strings: list[str]) -> None:
        super().__init__()
        self.look, self.strings = look, strings
        self.kind, self.inside, self.value = "", "", ""

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        """See `Handler`."""
        if name == "c":
            self.kind = attributes.get("t", "n")
        elif name in ("v", "t", "f", "oddHeader", "oddFooter"):
            self.inside, self.value = name, ""

    def words(self, text: str) -> None:
        """See `Handler`."""
        if self.inside:
            self.value += text[:40_000]  # a cell has at most 32,767 characters

    def end(self, name: str) -> None:
        """See `Handler`."""
        if self.inside and name == self.inside:
            self.look.say(self._shown(name) + "\t")
            self.inside = ""
        elif name in ("row", "headerFooter"):
            self.look.say("\n")

    def _shown(self, name: str) -> str:
        if name != "v":
            return self.value
        if self.kind == "s":
            number = int(self.value) if self.value.strip().isdecimal() else -1
            return self.strings[number] if 0 <= number < len(self.strings) else ""
        return _number(self.value)


def _number(value: str) -> str:
    """A number of up to 17 digits in full: an account number is kept as 6.2220212345678901E+18."""
    try:
        number = float(value)
    except ValueError:
        return value
    return str(int(number)) if "e" in value.lower() and number.is_integer() and abs(number) < 1e20 else value


# --- OpenDocument ---------------------------------------------------------------------------------------


def _read_opendocument(package: zipfile.ZipFile, look: Look) -> None:
    names = package.namelist()
    look.macros |= any(name.startswith(("Basic/", "Scripts/")) and not name.endswith("/") for name in names)
    if "META-INF/manifest.xml" in names:
        parse(_part(package, "META-INF/manifest.xml", look), _Manifest(look))
    if look.encrypted:
        raise Unreadable("it asks for a password")
    for name in names:
        if name.endswith(("content.xml", "styles.xml", "meta.xml")):
            parse(_part(package, name, look), _Words(look))
        elif name.startswith("Object ") and "/" not in name:
            _embedded(package, name, look)


class _Manifest(Handler):
    """Which parts are encrypted."""

    def __init__(self, look: Look) -> None:
        super().__init__()
        self.look = look

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        """See `Handler`."""
        self.look.encrypted |= name in ("encryption-data", "encrypted-key")


class _Words(Handler):
    """All characters: OpenDocument keeps nothing between tags but what is read."""

    def __init__(self, look: Look) -> None:
        super().__init__()
        self.look = look

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        """See `Handler`."""
        if name in ("tab", "s", "table-cell"):
            self.look.say("\t" if name != "s" else " ")
        elif name == "table" and "name" in attributes:
            self.look.say(attributes["name"] + "\n")

    def words(self, text: str) -> None:
        """See `Handler`."""
        self.look.say(text)

    def end(self, name: str) -> None:
        """See `Handler`."""
        if name in ("p", "h", "line-break", "table-row", "title", "subject", "keyword", "description"):
            self.look.say("\n")
