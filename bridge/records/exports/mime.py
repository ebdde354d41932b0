"""Internet mail (RFC 5322, MIME RFC 2045-2047, 2231), written forwards with the same bytes every time.

Rules of this file: pure. Python's own generator draws boundaries by chance and holds a mail in memory; here
boundaries come from the content, and an attachment of any size passes in pieces. Lines end with CRLF and
have at most 78 characters, unless an address alone has more. No value can begin a header of its own: breaks
become spaces before anything else.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from hashlib import sha256
from typing import IO
from urllib.parse import quote

from bridge.records.exports.legible import one_line

CRLF = b"\r\n"
BYTES = "application/octet-stream"
_LINE = 78  # characters of a line, without its end (RFC 5322, section 2.1.1)
_PLAIN = re.compile(r"[ -~]*")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+")
_TOKEN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_MEDIA = re.compile(r"[a-z0-9][\w!#$&^.+-]{0,126}/[a-z0-9][\w!#$&^.+-]{0,126}", re.ASCII)
_CONTAINERS = ("multipart/", "message/")
_PART = 57  # bytes that become one line of base64 (76 characters)


def header(name: str, value: str) -> bytes:
    """One unstructured header; what is not ASCII, or long, as encoded words of at most 75 characters."""
    words = unstructured(value, _LINE - len(name) - 2)
    return f"{name}: {words}".encode("ascii") + CRLF


def unstructured(value: str, room: int = _LINE) -> str:
    """`value` as it stands in a header that leaves `room` on its first line: itself where it is short plain
    ASCII, else RFC 2047 words."""
    line = one_line(value)
    if _PLAIN.fullmatch(line) and len(line) <= min(60, room) and "=?" not in line:
        return line
    return "\r\n ".join(_words(line, room))


def _words(line: str, room: int = _LINE) -> Iterator[str]:
    """Encoded words of whole characters, as RFC 2047, section 5 demands, the first one in `room` signs."""
    word, most = b"", min(42, (room - len(_word(b""))) // 4 * 3)
    for character in line:
        more = character.encode("utf-8")
        if len(word) + len(more) > most:
            yield _word(word)
            word, most = b"", 42
        word += more
    yield _word(word)


def _word(octets: bytes) -> str:
    return f"=?utf-8?b?{base64.b64encode(octets).decode('ascii')}?="


def mailbox(name: str, address: str) -> str:
    """A name and an address as one mailbox (RFC 5322, section 3.4)."""
    line, place = one_line(name), re.sub(r"[^!-~]|[<>,;()\"]", "_", address)
    if not line:
        return f"<{place}>"
    if _ATOMS.fullmatch(line) and len(line) <= 60:
        return _named(line, place)
    if _PLAIN.fullmatch(line) and len(line) <= 60 and "=?" not in line:
        escaped = line.replace("\\", "\\\\").replace('"', '\\"')
        return _named(f'"{escaped}"', place)
    return "\r\n ".join([*_words(line), f"<{place}>"])


def _named(name: str, address: str) -> str:
    """On one line where both have room beside the name of a header."""
    fits = len(name) + len(address) + len("Bcc:  <>,") <= _LINE
    return f"{name} <{address}>" if fits else f"{name}\r\n <{address}>"


def mailbox_text(name: str, address: str) -> str:
    """The same for people, in a field that is no header: nothing is encoded."""
    return f"{one_line(name).replace(';', ',')} <{address}>" if name else address


def mailboxes(name: str, boxes: Sequence[str]) -> bytes:
    """A header that lists mailboxes, each once and one on a line; an empty group where there are none."""
    value = ",\r\n ".join(dict.fromkeys(boxes)) or "undisclosed-recipients:;"
    return f"{name}: {value}".encode("ascii") + CRLF


def date_of(milliseconds: int) -> str:
    """A time as in a Date header, in UTC."""
    return format_datetime(datetime.fromtimestamp(milliseconds // 1000, UTC))


def boundary(*parts: object) -> str:
    """A boundary that is a digest of what makes the mail this one and no other."""
    seed = "\x1f".join(map(str, parts)).encode("utf-8", "surrogatepass")
    return f"=_weighbridge_{sha256(seed).hexdigest()[:40]}"


def text_part(subtype: str, text: str) -> Iterator[bytes]:
    """A text in UTF-8 and base64: every break stays as it was, and no line is too long."""
    yield f"Content-Type: text/{subtype}; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n".encode()
    yield from encoded([text.encode("utf-8")])


def media_type(media: str) -> str:
    """A media type as a header may say it (RFC 6838, section 4.2): what is none is plain bytes, and so is
    what readers of mail would open, for which base64 is forbidden (RFC 2046, section 5.2.1)."""
    kind = media.lower()
    return kind if _MEDIA.fullmatch(kind) and not kind.startswith(_CONTAINERS) else BYTES


def file_part(
    media: str, name: str, pieces: Iterable[bytes], extra: Mapping[str, str] | None = None
) -> Iterator[bytes]:
    """An attachment with its headers, `extra` among them."""
    kind = media_type(media)
    fold = "\r\n " if len(kind) + len("Content-Type: ") > _LINE else " "
    yield f"Content-Type:{fold}{kind}\r\n".encode()
    yield b"Content-Transfer-Encoding: base64" + CRLF
    yield b"Content-Disposition: attachment;" + CRLF + _filename(name)
    for title, value in (extra or {}).items():
        yield header(title, value)
    yield CRLF
    yield from encoded(pieces)


def _filename(name: str) -> bytes:
    """The parameter `filename`; in numbered pieces where RFC 2231 has to be used."""
    line = one_line(name)
    if _TOKEN.fullmatch(line) and len(line) <= 60:
        return f' filename="{line}"'.encode() + CRLF
    escapes = re.findall(r"%..|[^%]", quote(line.encode("utf-8"), safe=""))
    runs = ["".join(escapes[at : at + 15]) for at in range(0, len(escapes), 15)]
    runs[0] = "utf-8''" + runs[0]
    return ";\r\n".join(f" filename*{index}*={run}" for index, run in enumerate(runs)).encode() + CRLF


def encoded(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Bytes as lines of base64, in pieces of whole lines."""
    rest = b""
    for piece in pieces:
        rest += piece
        whole = len(rest) - len(rest) % _PART
        if whole:
            yield _lines(rest[:whole])
            rest = rest[whole:]
    if rest:
        yield _lines(rest)


def _lines(octets: bytes) -> bytes:
    signs = base64.b64encode(octets)
    return CRLF.join([signs[at : at + 76] for at in range(0, len(signs), 76)]) + CRLF


class Base64:
    """A file that is written as base64 to another one. `finish` writes what did not fill a line."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._rest = b""

    def write(self, data: bytes) -> int:
        """Take `data`; whole lines go on at once."""
        octets = self._rest + data
        whole = len(octets) - len(octets) % _PART
        if whole:
            self._file.write(_lines(octets[:whole]))
        self._rest = octets[whole:]
        return len(data)

    def finish(self) -> None:
        """Write the last line."""
        if self._rest:
            self._file.write(_lines(self._rest))
        self._rest = b""


def larger(size: int) -> int:
    """How many bytes `size` bytes are in base64, line ends included."""
    lines, rest = divmod(size, _PART)
    return lines * 78 + (-(-rest // 3) * 4 + 2 if rest else 0)
