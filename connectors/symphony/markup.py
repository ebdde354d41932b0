"""Symphony's markup and plain text: MessageML out, PresentationML in.

Rules of this file: pure, text to text. What is read here was written by strangers, so nothing is resolved:
a document type declaration or an entity definition makes the markup unreadable, and unreadable raises
`Unreadable` for the caller to hold the message. Reading back what `escape` wrote gives the same text, for
every character that XML 1.0 can carry.

Sources: Symphony developer documentation, "MessageML" and "PresentationML"; XML 1.0 section 2.2 (Char).
MessageML passes through Freemarker before it is parsed, so `${` and `#{` are escaped as well.
"""

from __future__ import annotations

import html.entities
import re
from collections.abc import Callable, Mapping
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from connectors.symphony import emoji

Entities = Mapping[str, Any]

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
RULE = "—" * 11

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_PLAIN = re.compile(r"<div\b[^<>]*>([^<\r\n]*)</div>")
_REFERENCE = re.compile(r"&(?:#(?P<dec>[0-9]{1,8})|#[xX](?P<hex>[0-9a-fA-F]{1,7})|(?P<name>\w{1,32}));|&")
_XML_NAMES = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
_ENTITY_TYPES = {
    "com.symphony.user.mention": "@",
    "org.symphonyoss.taxonomy": "#",
    "org.symphonyoss.taxonomy.hashtag": "#",
    "org.symphonyoss.fin.security": "$",
}
_BLOCKS = frozenset(
    {"messageml", "div", "p", "h1", "h2", "h3", "h4", "h5", "h6", "card", "expandable-card", "header", "body"}
    | {"content", "form", "section", "article", "blockquote", "title", "footer", "textarea", "text-field"}
    | {"select", "option", "radio", "checkbox", "button", "dialog", "ui-action"}
)


class Unreadable(ValueError):
    """This cannot be read. The text says why, and never quotes what could not be read."""


# --- text to MessageML ----------------------------------------------------------------------------------


def escape(text: str) -> str:
    """`text` as MessageML content: safe for XML and for Freemarker, line breaks as `<br/>`.

    Characters that XML 1.0 cannot carry become U+FFFD: visibly replaced, rather than the message lost.
    """
    safe = _NOT_XML.sub(REPLACEMENT, text)
    safe = safe.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    safe = safe.replace("${", "&#36;{").replace("#{", "&#35;{")
    return safe.replace("\r", "&#13;").replace("\n", "<br/>")


# --- PresentationML to text -----------------------------------------------------------------------------


def to_text(markup: str, entities: Entities | None = None) -> str:
    """The words of a PresentationML document, as a person would read them aloud.

    `entities` is the message's EntityJSON, by entity id: names of emoji and kinds of tags come from there.
    Raises `Unreadable` when the markup is not well-formed.
    """
    plain = _PLAIN.fullmatch(markup)
    if plain:
        return _NOT_XML.sub(REPLACEMENT, _REFERENCE.sub(_resolved, plain[1]))
    page = _Page(entities or {})
    page.read(_parsed(markup))
    return page.text()


def _parsed(markup: str) -> Element:
    """The element tree of untrusted markup, with HTML's named characters understood."""
    try:
        legal = _REFERENCE.sub(_xml_only, _NOT_XML.sub(REPLACEMENT, markup))
        tree: Element = fromstring(legal, forbid_dtd=True)
    except (ParseError, DefusedXmlException):
        raise Unreadable("the markup is not well-formed") from None
    return tree


def _resolved(reference: re.Match[str]) -> str:
    """The character that a reference stands for; what stands for none is left as it is written."""
    if reference["name"]:
        name = reference["name"]
        return _XML_NAMES.get(name) or html.entities.html5.get(name + ";", reference[0])
    if reference["dec"] or reference["hex"]:
        code = int(reference["dec"] or reference["hex"], 10 if reference["dec"] else 16)
        return chr(code) if code <= 0x10FFFF else REPLACEMENT
    return "&"


def _xml_only(reference: re.Match[str]) -> str:
    """A reference in terms that an XML parser without a DTD knows."""
    if reference["name"] in _XML_NAMES:
        return reference[0]
    character = _resolved(reference)
    if reference["name"] or reference[0] == "&":
        return character.replace("&", "&amp;").replace("<", "&lt;")
    return REPLACEMENT if character == REPLACEMENT or _NOT_XML.search(character) else reference[0]


class _Page:
    """Text being laid out: words, line breaks, and the break that comes only if more words follow."""

    def __init__(self, entities: Entities) -> None:
        self._entities = entities
        self._parts: list[str] = []
        self._gap = ""

    def text(self) -> str:
        return "".join(self._parts)

    def read(self, element: Element) -> None:
        """Lay out one element with everything in it."""
        tag = element.tag.lower()
        special = _SPECIAL.get(tag)
        if special:
            special(self, element)
        elif tag in _BLOCKS:
            self._break()
            self._inside(element)
            self._break()
        else:
            self._inside(element)

    def _inside(self, element: Element) -> None:
        self._words(element.text)
        for child in element:
            self.read(child)
            self._words(child.tail)

    def _write(self, text: str) -> None:
        if self._gap and self._parts:
            self._parts.append(self._gap)
        self._gap = ""
        if text:
            self._parts.append(text)

    def _break(self) -> None:
        """What follows starts on a new line."""
        self._gap = "" if not self._parts or self._parts[-1].endswith("\n") else "\n"

    def _words(self, text: str | None) -> None:
        """Running text. A line break in the source is layout where blocks meet, and a break elsewhere."""
        if not text:
            return
        if "\n" not in text:
            self._write(text)
            return
        text = _without_indents(text)
        words = text.strip("\n")
        if words:
            if text[0] == "\n":
                self._break()
            self._write(words)
            if text[-1] == "\n":
                self._break()
        elif self._gap != "\n" and self._parts and not self._parts[-1].endswith("\n"):
            self._gap = " "

    def _aside(self, element: Element) -> str:
        """The text of an element on its own, to be placed by the caller."""
        page = _Page(self._entities)
        page._inside(element)
        return page.text()

    def _line(self, text: str) -> None:
        self._break()
        self._write(text)
        self._break()

    # --- elements with a meaning of their own

    def _br(self, _element: Element) -> None:
        self._write("\n")

    def _hr(self, _element: Element) -> None:
        self._line(RULE)

    def _preformatted(self, element: Element) -> None:
        self._write("".join(element.itertext()))

    def _link(self, element: Element) -> None:
        text, target = self._aside(element), element.get("href", "")
        same = not target or target.removeprefix("mailto:").rstrip("/") == text.rstrip("/")
        self._write(text if same else f"{text} ({target})" if text else target)

    def _image(self, element: Element) -> None:
        self._write(f"[Image: {element.get('alt') or element.get('src') or '?'}]")

    def _chime(self, _element: Element) -> None:
        self._line("[Chime]")

    def _emoji(self, element: Element) -> None:
        self._write(emoji.character(element.get("shortcode") or self._aside(element)))

    def _mention(self, element: Element) -> None:
        name = element.get("email") or element.get("uid") or self._aside(element)
        self._write("@" + name.removeprefix("@"))

    def _tag(self, element: Element) -> None:
        sign = "#" if element.tag.lower() == "hash" else "$"
        self._write(sign + (element.get("tag") or self._aside(element)).removeprefix(sign))

    def _span(self, element: Element) -> None:
        entity = self._entities.get(element.get("data-entity-id", ""))
        if not isinstance(entity, dict):
            self._inside(element)
            return
        kind = str(entity.get("type"))
        if kind == "com.symphony.emoji":
            self._write(_emoji_entity(entity.get("data"), self._aside(element)))
        elif kind in _ENTITY_TYPES:
            sign = _ENTITY_TYPES[kind]
            self._write(sign + self._aside(element).removeprefix(sign))
        else:
            self._inside(element)

    def _list(self, element: Element) -> None:
        numbered = element.tag.lower() == "ol"
        for number, item in enumerate(element, 1):
            mark = f"{number}. " if numbered else "• "
            self._line(mark + self._aside(item).replace("\n", "\n  "))

    def _row(self, element: Element) -> None:
        self._line(" | ".join(self._aside(cell).replace("\n", " ") for cell in element))


def _without_indents(text: str) -> str:
    """The same lines without the blanks around their breaks."""
    first, *rest = text.split("\n")
    inner = [line.strip(" \t") for line in rest[:-1]]
    return "\n".join([first.rstrip(" \t"), *inner, rest[-1].lstrip(" \t")])


def _emoji_entity(data: Any, shown: str) -> str:
    """An emoji by its entity data: the character, else the short name's, else what the sender showed."""
    if not isinstance(data, dict):
        return shown
    picture = data.get("unicode")
    if isinstance(picture, str) and picture:
        return picture
    name = data.get("shortcode") or data.get("annotation")
    return emoji.character(name) if isinstance(name, str) and name else shown


_SPECIAL: dict[str, Callable[[_Page, Element], None]] = {
    "br": _Page._br,
    "hr": _Page._hr,
    "pre": _Page._preformatted,
    "code": _Page._preformatted,
    "a": _Page._link,
    "img": _Page._image,
    "chime": _Page._chime,
    "audio": _Page._chime,
    "emoji": _Page._emoji,
    "mention": _Page._mention,
    "hash": _Page._tag,
    "cash": _Page._tag,
    "span": _Page._span,
    "ul": _Page._list,
    "ol": _Page._list,
    "tr": _Page._row,
}
