"""Text that is its own file: plain, CSV, HTML, XML, JSON, e-mail, RTF; and which letters its bytes are.

Rules of this file: a mark at the beginning decides, then what can be read without a mistake: UTF-8, then
UTF-16 by its zeros, then the Chinese encoding whose common characters the bytes are (Big5 with the additions
of Hong Kong), then Western. Escapes are undone, so
that words are found however they were written down.
"""

from __future__ import annotations

import codecs
import email
import email.policy
import json
import re
from email.message import EmailMessage
from html.parser import HTMLParser
from io import BytesIO
from typing import BinaryIO

from bridge.inspection import kinds
from bridge.inspection.bounds import Look, Unreadable
from bridge.inspection.markup import Handler, parse

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_LARGEST = 32 * 1024 * 1024
"""Bytes of a text file that are read."""


def type_of(head: bytes, claims: str) -> str:
    """Which kind of text begins with `head`; "unknown" when it is none."""
    encoding = encoding_of(head)
    if not encoding:
        return "unknown"
    return kinds.of_text(head.decode(encoding, "ignore"), claims)


def encoding_of(data: bytes) -> str:
    """The name of the encoding that `data`, or a beginning of it, is text in; "" when it is no text."""
    for mark, name in _MARKS:
        if data.startswith(mark):
            return name
    if name := _wide(data):
        return name
    if _reads(data, "utf-8"):
        return "" if _CONTROLS.search(data.decode("utf-8", "ignore")) else "utf-8"
    if _CONTROLS.search(data.decode("latin-1")):
        return ""
    chinese = [name for name in ("gb18030", "big5hkscs") if _reads(data, name) and not _western_letters(data)]
    if len(chinese) == 2 and _common(data, 0xA4, 0xC6, 0x40) > _common(data, 0xB0, 0xD7, 0xA1):
        return "big5hkscs"
    return chinese[0] if chinese else "cp1252"


def _reads(data: bytes, encoding: str) -> bool:
    """Whether it is text in `encoding`; the last character may have been cut through."""
    try:
        codecs.getincrementaldecoder(encoding)("strict").decode(data)
    except UnicodeDecodeError:
        return False
    return True


def _wide(data: bytes) -> str:
    """UTF-16 without a mark: half of the bytes of Western text are zero, always the same half."""
    even, odd = data[0:2048:2].count(0), data[1:2048:2].count(0)
    pairs = len(data[:2048]) // 2
    for zeros, others, name in ((odd, even, "utf-16-le"), (even, odd, "utf-16-be")):
        if zeros * 2 > pairs and not others and _reads(data, name):
            return "" if _CONTROLS.search(data.decode(name, "ignore")) else name
    return ""


_HIGH = re.compile(rb"[\x80-\xff]")
_ALONE = re.compile(rb"(?<![\x80-\xff])[\x80-\xff](?![\x80-\xff])")


def _western_letters(data: bytes) -> bool:
    """Whether most bytes past ASCII stand alone among letters: Chinese comes in runs."""
    return len(_ALONE.findall(data)) * 5 > len(_HIGH.findall(data)) * 3


def _common(data: bytes, low: int, high: int, trail: int) -> int:
    """How many pairs of bytes are characters of the common level of GB 2312 or of Big5."""
    count = at = 0
    while at + 1 < len(data):
        if data[at] < 0x80:
            at += 1
            continue
        count += low <= data[at] <= high and data[at + 1] >= trail
        at += 2
    return count


def decode(file: BinaryIO) -> tuple[str, bool]:
    """The text of a file, and whether it was cut."""
    data = file.read(_LARGEST + 1)
    encoding = encoding_of(data)
    if not encoding:
        raise Unreadable("it is no text")
    return data[:_LARGEST].decode(encoding, "replace"), len(data) > _LARGEST


def read(file: BinaryIO, kind: str, look: Look) -> None:
    """Read a text file of type `kind` into `look`."""
    if kind == "xml":
        parse(file, _Xml(look))
    elif kind == "eml":
        _read_mail(file, look)
    else:
        text, cut = decode(file)
        look.cut |= cut
        {"html": _read_html, "json": _read_json, "rtf": _read_rtf}.get(kind, _say)(text, look)


def _say(text: str, look: Look) -> None:
    look.say(text)


class _Xml(Handler):
    """Characters and attributes, one under the other."""

    def __init__(self, look: Look) -> None:
        super().__init__()
        self.look = look

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        """See `Handler`."""
        self.look.macros |= name == "script" or any(key.startswith("on") for key in attributes)
        self.look.say("".join(f"{value}\n" for value in attributes.values()))

    def words(self, text: str) -> None:
        """See `Handler`."""
        self.look.say(text)

    def end(self, name: str) -> None:
        """See `Handler`."""
        self.look.say("\n")


# --- HTML, JSON, mail -----------------------------------------------------------------------------------


class _Html(HTMLParser):
    """What a page shows, what its attributes say, and whether it runs anything."""

    _SHOWN = frozenset({"alt", "title", "href", "value", "placeholder", "content"})
    _LINES = frozenset({"p", "div", "br", "tr", "li", "h1", "h2", "h3", "h4", "h5", "h6", "title", "option"})

    def __init__(self, look: Look) -> None:
        super().__init__(convert_charrefs=True)
        self.look, self.silent = look, 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """See `html.parser.HTMLParser`."""
        self.silent += tag in ("script", "style")
        said = {key: value or "" for key, value in attrs}
        runs = any(value.strip().lower().startswith("javascript:") for value in said.values())
        self.look.macros |= tag == "script" or runs or any(key.startswith("on") for key in said)
        self.look.say("\t" if tag in ("td", "th") else "\n" if tag in self._LINES else "")
        self.look.say("".join(f" {said[key]} " for key in said if key in self._SHOWN))

    def handle_endtag(self, tag: str) -> None:
        """See `html.parser.HTMLParser`."""
        self.silent -= tag in ("script", "style")

    def handle_data(self, data: str) -> None:
        """See `html.parser.HTMLParser`."""
        if self.silent <= 0:
            self.look.say(data)

    def handle_comment(self, data: str) -> None:
        """See `html.parser.HTMLParser`."""
        self.look.say(data)


def _read_html(text: str, look: Look) -> None:
    reader = _Html(look)
    try:
        reader.feed(text)
        reader.close()
    except AssertionError as error:  # its own word for markup that it cannot go on with
        raise Unreadable("it is damaged") from error


def _read_json(text: str, look: Look) -> None:
    try:
        shown = json.dumps(json.loads(text), ensure_ascii=False, indent=0)
    except RecursionError:
        raise Unreadable("it nests deeper than is read") from None
    except ValueError:
        shown = text  # lines of JSON, or nearly JSON: it is read as it stands
    look.say(shown.encode("utf-8", "replace").decode())


def _read_mail(file: BinaryIO, look: Look) -> None:
    mail = email.message_from_bytes(file.read(_LARGEST), EmailMessage, policy=email.policy.default)
    try:
        for name in ("Subject", "From", "To", "Cc", "Date"):
            look.say("".join(f"{name}: {value}\n" for value in mail.get_all(name, [])))
        for part in mail.walk():
            _read_part(part, look)
    except (LookupError, ValueError, AttributeError, TypeError, RecursionError, IndexError) as error:
        raise Unreadable("it is damaged") from error


def _read_part(part: EmailMessage, look: Look) -> None:
    if part.is_multipart():
        return
    payload = part.get_payload(decode=True)
    data = payload if isinstance(payload, bytes) else b""
    name = part.get_filename() or ""
    look.say(f"{name}\n" if name else "")
    if part.get_content_maintype() != "text" or part.get_content_disposition() == "attachment":
        look.enter(BytesIO(data), name)
        return
    encoding = part.get_content_charset() or encoding_of(data) or "utf-8"
    text = data.decode(encoding, "replace")
    (_read_html if part.get_content_subtype() == "html" else _say)(text, look)


# --- RTF ------------------------------------------------------------------------------------------------

_RTF = re.compile(
    r"\\([a-z]{1,32})(-?\d{1,10})? ?|\\'([0-9a-fA-F]{2})|\\([^a-z])|([{}])|[\r\n]+|([^\\{}\r\n]+)", re.S
)
_HIDDEN = frozenset(
    {"fonttbl", "colortbl", "stylesheet", "info", "pict", "themedata", "datastore", "listtable", "generator",
     "latentstyles", "rsidtbl", "xmlnstbl", "filetbl", "listoverridetable", "colorschememapping"}
)  # fmt: skip
_LINES = frozenset({"par", "line", "cell", "row", "tab", "sect", "page"})
_PAGES = {
    "936": "gb18030",
    "950": "big5",
    "932": "cp932",
    "949": "cp949",
    "54936": "gb18030",
    "65001": "utf-8",
}


class _Rtf:
    """Groups within groups, each with what it hides and how many bytes stand in for one \\u."""

    def __init__(self, look: Look) -> None:
        self.look = look
        self.page = "cp1252"
        self.groups: list[tuple[bool, int]] = []
        self.hidden, self.width, self.skip = False, 1, 0
        self.bytes = bytearray()
        self.wide = ""

    def take(self, match: re.Match[str]) -> None:
        """One piece of the file."""
        word, number, code, symbol, brace, text = match.groups()
        if code is not None:
            self._byte(int(code, 16))
            return
        self._flush()
        if brace:
            self._brace(brace)
        elif word:
            self._word(word, number)
        elif symbol == "*":
            self.hidden = True
        elif symbol in ("\\", "{", "}", "~"):
            self._show(" " if symbol == "~" else symbol)
        elif text:
            taken = min(self.skip, len(text))
            self.skip -= taken
            self._show(text[taken:])

    def _byte(self, value: int) -> None:
        if self.skip:
            self.skip -= 1
        elif not self.hidden:
            self.bytes.append(value)

    def _flush(self) -> None:
        if self.bytes:
            self._show(self.bytes.decode(self.page, "replace"))
            self.bytes.clear()

    def _brace(self, brace: str) -> None:
        self.skip = 0
        if brace == "{":
            self.groups.append((self.hidden, self.width))
            if len(self.groups) > 1000:
                raise Unreadable("it nests deeper than is read")
        elif self.groups:
            self.hidden, self.width = self.groups.pop()

    def _word(self, word: str, number: str | None) -> None:
        if word == "u" and number is not None:
            self._show(chr(int(number) & 0xFFFF), joins=True)
            self.skip = self.width
        elif word == "uc":
            self.width = int(number or 1)
        elif word == "ansicpg":
            self.page = _PAGES.get(number or "", _western(number or ""))
        elif word in _HIDDEN:
            self.hidden = True
        elif word in ("objdata", "object", "bin"):
            self.look.cannot("it has something embedded that cannot be read")
        elif word in _LINES:
            self._show("\t" if word in ("cell", "tab") else "\n")

    def _show(self, text: str, *, joins: bool = False) -> None:
        # Two halves of one character come as two words: they are put together.
        if self.hidden or not text:
            return
        whole = self.wide + text
        self.wide = ""
        if joins and "\ud800" <= whole[-1:] <= "\udbff":
            self.wide, whole = whole[-1], whole[:-1]
        self.look.say(whole.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))


def _western(number: str) -> str:
    try:
        return codecs.lookup(f"cp{number}").name
    except LookupError:
        return "cp1252"


def _read_rtf(text: str, look: Look) -> None:
    reader = _Rtf(look)
    for match in _RTF.finditer(text):
        reader.take(match)
