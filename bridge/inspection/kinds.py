"""Which type a file is, by its bytes: a table of signatures, and the words that policies use for them.

Rules of this file: pure, and safe on hostile bytes in the daemon itself: it compares, and parses nothing. A
name never makes a type; it only says what is claimed. The words are those of `bridge.policy.language`, and
a test keeps the two alike. Sources: the formats' own specifications, and the list of file signatures of the
library puremagic as a second opinion (in the tests).
"""

from __future__ import annotations

import re

HEAD = 4096
"""Bytes of a file's beginning that `signatures` looks at."""

TAIL = 65_557
"""Bytes of a file's end in which a ZIP archive's last record stands (APPNOTE.TXT 4.3.16: 22 + 65,535)."""

# fmt: off
CLAIMS = {
    "jpeg": "jpg", "jpe": "jpg", "jfif": "jpg", "tif": "tiff", "heif": "heic", "dib": "bmp",
    "docm": "docx", "dotx": "docx", "dotm": "docx", "dot": "doc", "wps": "doc",
    "xlsm": "xlsx", "xltx": "xlsx", "xltm": "xlsx", "xlsb": "xlsx", "xlam": "xlsx", "xlt": "xls", "et": "xls",
    "pptm": "pptx", "potx": "pptx", "potm": "pptx", "ppsx": "pptx", "ppsm": "pptx", "pps": "ppt",
    "dps": "ppt", "ott": "odt", "ots": "ods", "otp": "odp", "text": "txt", "log": "txt", "htm": "html",
    "xhtml": "html", "zipx": "zip", "jar": "zip", "apk": "zip", "gzip": "gz", "tgz": "gz", "wave": "wav",
    "slk": "silk",     "m4v": "mp4", "3gp": "mp4", "qt": "mov", "so": "elf",
    # What runs when it is opened, whatever it is made of: a name of these on a text is a wrong name.
    "com": "exe", "scr": "exe", "dll": "exe", "sys": "exe", "msi": "exe", "cpl": "exe", "lnk": "exe",
    "bat": "exe", "cmd": "exe", "ps1": "exe", "vbs": "exe", "vbe": "exe", "js": "exe", "jse": "exe",
    "wsf": "exe", "hta": "exe", "sh": "exe", "command": "exe", "pif": "exe", "reg": "exe",
}
"""What the ending of a name claims, where the ending is not the word itself."""

TYPES = frozenset({
    "pdf", "png", "jpg", "gif", "webp", "heic", "bmp", "tiff", "doc", "docx", "xls", "xlsx", "ppt", "pptx",
    "odt", "ods", "odp", "rtf", "txt", "csv", "html", "xml", "json", "eml", "msg", "zip", "7z", "rar", "gz",
    "amr", "mp3", "m4a", "wav", "silk", "mp4", "mov", "exe", "elf", "unknown",
})
"""Every word that `Inspection.type` may have."""

WORDLESS = frozenset({
    "png", "jpg", "gif", "webp", "heic", "bmp", "tiff", "amr", "mp3", "m4a", "wav", "silk", "mp4", "mov",
    "exe", "elf",
})
"""Types without text inside: their signature is all that there is to see."""

_EVERYWHERE = (
    (b"\x89PNG\r\n\x1a\n", "png"), (b"\xff\xd8\xff", "jpg"), (b"GIF87a", "gif"), (b"GIF89a", "gif"),
    (b"II*\0", "tiff"), (b"MM\0*", "tiff"), (b"II+\0\x08\0", "tiff"), (b"MM\0+\0\x08", "tiff"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "ole"),
    (b"PK\3\4", "zip"), (b"PK\5\6", "zip"), (b"PK\7\x08PK\3\4", "zip"),
    (b"7z\xbc\xaf\x27\x1c", "7z"), (b"Rar!\x1a\x07", "rar"), (b"\x1f\x8b\x08", "gz"),
    (b"#!AMR\n", "amr"), (b"#!AMR-WB\n", "amr"), (b"ID3", "mp3"),
    (b"#!SILK_V3", "silk"), (b"\x02#!SILK_V3", "silk"), (b"\x7fELF", "elf"), (b"{\\rtf", "rtf"),
    (b"L\0\0\0\x01\x14\x02\0", "exe"),  # a Windows shortcut ([MS-SHLLINK] 2.1) runs what it points at
)

_BRANDS = {
    b"M4A ": "m4a", b"M4B ": "m4a", b"M4P ": "m4a", b"qt  ": "mov",
    b"heic": "heic", b"heix": "heic", b"heim": "heic", b"heis": "heic", b"hevc": "heic", b"mif1": "heic",
    b"msf1": "heic",
    b"isom": "mp4", b"iso2": "mp4", b"iso4": "mp4", b"iso5": "mp4", b"iso6": "mp4", b"mp41": "mp4",
    b"mp42": "mp4", b"avc1": "mp4", b"dash": "mp4", b"MSNV": "mp4", b"M4V ": "mp4", b"3gp4": "mp4",
    b"3gp5": "mp4", b"3gp6": "mp4", b"3g2a": "mp4",
}
# fmt: on


def claimed(name: str) -> str:
    """The type that the name's ending claims; "" when it claims none that is known."""
    _, dot, ending = name.strip().rpartition(".")
    ending = ending.strip().lower() if dot else ""
    word = CLAIMS.get(ending, ending)
    return word if word in TYPES - {"unknown"} else ""


def signatures(head: bytes) -> tuple[str, ...]:
    """Every type whose signature stands in `head`, the first HEAD bytes; "ole" is any compound file.

    None: it may be text, or something unknown. More than one: it is built to be taken for either.
    """
    found = [word for mark, word in _EVERYWHERE if head.startswith(mark)]
    found += [word for look in (_riff, _iso, _bmp, _mpeg, _program) if (word := look(head))]
    # A reader takes a PDF whose header stands anywhere in the first 1,024 bytes (ISO 32000-1, Annex H.3.4.1).
    if b"%PDF-" in head[:1024]:
        found.append("pdf")
    return tuple(dict.fromkeys(found))


def hides_archive(tail: bytes) -> bool:
    """Whether the end of a file that is no archive reads as one: programs open such a file as ZIP."""
    at = tail.rfind(b"PK\5\6")
    if at < 0 or len(tail) - at < 22:
        return False
    return at + 22 + int.from_bytes(tail[at + 20 : at + 22], "little") == len(tail)


def _riff(head: bytes) -> str:
    if head[:4] != b"RIFF":
        return ""
    return {b"WEBP": "webp", b"WAVE": "wav"}.get(head[8:12], "")


def _iso(head: bytes) -> str:
    """ISO 14496-12: a box of type `ftyp` names the brand; QuickTime of old began with other boxes."""
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12], "mp4" if head[8:11] in (b"3gp", b"iso") else "")
    size = int.from_bytes(head[:4])
    return "mov" if head[4:8] in (b"moov", b"mdat", b"wide", b"pnot") and (size >= 8 or size == 1) else ""


def _bmp(head: bytes) -> str:
    known = int.from_bytes(head[14:18], "little") in (12, 40, 52, 56, 64, 108, 124)
    return "bmp" if head[:2] == b"BM" and known else ""


def _mpeg(head: bytes) -> str:
    """A frame of MPEG audio layer III without a tag before it (ISO 11172-3, 2.4.2.3)."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE6 != 0xE2 or head[1] & 0x18 == 0x08:
        return ""
    rate, frequency = head[2] >> 4, head[2] >> 2 & 3
    return "mp3" if rate not in (0, 15) and frequency != 3 else ""


def _program(head: bytes) -> str:
    if head[:2] != b"MZ" or len(head) < 64:
        return ""
    at = int.from_bytes(head[60:64], "little")
    newer = head[at : at + 2] in (b"PE", b"NE", b"LE", b"LX")
    return "exe" if newer or b"\0" in head[:64] else ""


_HEADER = re.compile(
    r"(?:received|return-path|from|to|cc|date|subject|mime-version|message-id|delivered-to|reply-to|"
    r"content-type|x-[a-z-]+):[ \t]",
    re.I,
)
_TAG = re.compile(
    r"<(?:!doctype\s+html|html|head|body|script|title|meta|table|div|p|h[1-6]|a|br|img)\b", re.I
)


_PAGE = re.compile(r"<(?:!doctype\s+html|html|head|body|script)\b", re.I)
"""How a page begins, whatever it is called (a part of the table in the WHATWG's MIME Sniffing, 7.1)."""


def _is_page(start: str) -> bool:
    """Whether a page begins here, behind what is not shown of it: remarks and the declaration of XML."""
    for opening, closing in [("<?xml", "?>")] + 8 * [("<!--", "-->")]:
        if start.startswith(opening):
            start = start.partition(closing)[2].lstrip()
    return _PAGE.match(start) is not None


def of_text(start: str, claims: str) -> str:
    """Which of the types that are text this is, by its first characters.

    Any text may be called txt, but for a page as browsers open it: it would be shown as what it is. Between
    csv and txt only the name tells: both are read alike.
    """
    start = start.lstrip("\ufeff \t\r\n")
    if claims == "txt":
        return "html" if _is_page(start) else "txt"
    if start.startswith("<"):
        return _marked_up(start, claims)
    lines = start.splitlines()[:8]
    if len(lines) > 1 and _HEADER.match(lines[0]) and sum(bool(_HEADER.match(one)) for one in lines) > 1:
        return "eml"
    if claims == "html" and _TAG.search(start):
        return "html"
    if start[:1] in ("{", "[") and (claims == "json" or re.match(r'[{\[]\s*(?:["{\[\]}]|-?\d)', start)):
        return "json" if claims != "csv" else "csv"
    return claims if claims in ("csv", "json") else "txt"


def _marked_up(start: str, claims: str) -> str:
    if re.match(r"<\?xml\b", start, re.I) and not re.search(r"<(?:!doctype\s+)?html\b", start, re.I):
        return "xml"
    if _TAG.search(start):
        return "html"
    return "xml" if claims == "xml" or re.match(r"<[A-Za-z_][\w:.-]*[\s/>]|<!--", start) else "txt"
