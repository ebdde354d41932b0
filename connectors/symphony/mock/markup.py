"""MessageML in, PresentationML out: what the agent does to a text before it posts it. Pure.

Sources: Symphony's MessageML and PresentationML pages. The agent's template engine (Freemarker) runs over the
raw text first, so `${` and `#{` are errors here: an author must write the dollar or hash sign as a character
reference. Most messages are plain text inside `<messageML>`; they take a fast path that a load test depends
on.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from xml.etree.ElementTree import Element, ParseError

import orjson
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

MAX_MESSAGE_BYTES = 1_500_000
"""Limit of message and data together."""
MAX_TEXT_CHARACTERS = 81_130
"""Limit of the text without its tags."""
MAX_ENTITIES = 80
"""Limit of mentions, tags and other entities in one message."""

OPENING = '<div data-format="PresentationML" data-version="2.0">'
WRITTEN_OPENING = '<div data-format="PresentationML" data-version="2.0" class="wysiwyg">'
CLOSING = "</div>"

_PLAIN = re.compile(r"\s*<messageML>([^<&\x00-\x08\x0b\x0c\x0e-\x1f]*)</messageML>\s*\Z")
_TEMPLATE = re.compile(r"[$#]\{")
_TAG = re.compile(r"<[^>]*>")
_BLOCK_END = re.compile(r"<br\s*/?>|</(?:p|div|li|tr|h[1-6])>")
_KEPT_WORDS = (
    "div span p br hr b i u a ul ol li table thead tbody tfoot tr td th h1 h2 h3 h4 h5 h6 code pre img "
    "form button text-field textarea checkbox radio select option person-selector tenure label audio "
    "strong em"
)
_KEPT = frozenset(_KEPT_WORDS.split())
_VOID = frozenset(("br", "hr", "img"))
_RENAMED = {"card": "div", "header": "div", "body": "div", "expandable-card": "div", "chime": "audio"}
_CHIME = {"src": "https://asset.symphony.com/symphony/audio/chime.mp3", "autoplay": "true"}

EMOJI = {
    "smiley": "😃",
    "smile": "😄",
    "grinning": "😀",
    "joy": "😂",
    "wink": "😉",
    "blush": "😊",
    "heart": "❤️",
    "heart_eyes": "😍",
    "thinking": "🤔",
    "cry": "😢",
    "sob": "😭",
    "angry": "😠",
    "sunglasses": "😎",
    "sweat_smile": "😅",
    "laughing": "😆",
    "thumbsup": "👍",
    "+1": "👍",
    "thumbsdown": "👎",
    "-1": "👎",
    "ok_hand": "👌",
    "clap": "👏",
    "pray": "🙏",
    "wave": "👋",
    "muscle": "💪",
    "fire": "🔥",
    "tada": "🎉",
    "rocket": "🚀",
    "eyes": "👀",
    "100": "💯",
    "warning": "⚠️",
    "white_check_mark": "✅",
    "x": "❌",
    "question": "❓",
    "exclamation": "❗",
    "star": "⭐",
    "coffee": "☕",
    "beer": "🍺",
    "chart_with_upwards_trend": "📈",
    "chart_with_downwards_trend": "📉",
    "moneybag": "💰",
    "bank": "🏦",
    "calendar": "📅",
    "phone": "☎️",
    "email": "📧",
    "paperclip": "📎",
    "lock": "🔒",
    "sunny": "☀️",
    "broken_heart": "💔",
    "see_no_evil": "🙈",
}
"""Short codes the mock knows by sight; any other is shown as `:code:`."""


class MarkupError(ValueError):
    """A message the agent refuses with 400; the text says why, in the agent's manner."""


@dataclass(frozen=True)
class Person:
    """Whom a mention means."""

    user_id: int
    display_name: str


FindPerson = Callable[[str, str], Person | None]
"""Looks a person up by attribute (`uid`, `email`) and value."""


@dataclass
class _Rendering:
    find_person: FindPerson
    data: dict[str, Any]
    counts: dict[str, int] = field(default_factory=dict)

    def entity(self, kind: str, shown: str, detail: dict[str, Any]) -> str:
        number = self.counts[kind] = self.counts.get(kind, 0) + 1
        name = f"{kind}{number}"
        self.data[name] = detail
        return f'<span class="entity" data-entity-id="{name}">{html.escape(shown, quote=False)}</span>'


def present(message: str, data: str | None, find_person: FindPerson) -> tuple[str, str | None]:
    """The PresentationML and entity data (a JSON string, or None) of a message as an API caller sent it.

    Raises MarkupError for a template expression, broken XML, an unknown tag, an unknown person, an entity
    without data, or a size over the limits.
    """
    _check_size(message, data)
    plain = _PLAIN.match(message)
    if plain is not None and not _TEMPLATE.search(message):
        return _present_plain(plain.group(1), _entities(data))
    return _present_marked(message, data, find_person)


def _present_plain(text: str, entities: dict[str, Any]) -> tuple[str, str | None]:
    _check_text(text, text, entities)
    return OPENING + text + CLOSING, _written_entities(entities)


def _written_entities(entities: dict[str, Any]) -> str | None:
    return orjson.dumps(entities).decode() if entities else None


def _present_marked(message: str, data: str | None, find_person: FindPerson) -> tuple[str, str | None]:
    if _TEMPLATE.search(message):
        raise MarkupError(
            "Error parsing Freemarker template: invalid user input; write ${ as &#36;{ and #{ as &#35;{"
        )
    root = _parsed(message)
    rendering = _Rendering(find_person, _entities(data))
    inner = _children(root, rendering)
    _check_text(inner, plain_text(inner), rendering.data)
    opening = OPENING if root.tag == "messageML" else _opening(root)
    return opening + inner + CLOSING, _written_entities(rendering.data)


def _check_size(message: str, data: str | None) -> None:
    if len(message.encode()) + len((data or "").encode()) > MAX_MESSAGE_BYTES:
        raise MarkupError("Limit message-content-max-total-size reached")


def _check_text(inner: str, words: str, entities: dict[str, Any]) -> None:
    if not inner:
        raise MarkupError("The message is empty: send at least one space")
    if len(words) > MAX_TEXT_CHARACTERS:
        raise MarkupError(f"The message is longer than {MAX_TEXT_CHARACTERS} characters")
    if len(entities) > MAX_ENTITIES:
        raise MarkupError(f"The message has more than {MAX_ENTITIES} entities")


def _entities(data: str | None) -> dict[str, Any]:
    if not data or not data.strip():
        return {}
    try:
        entities = orjson.loads(data)
    except orjson.JSONDecodeError as fault:
        raise MarkupError(f"Error parsing EntityJSON: {fault}") from fault
    if not isinstance(entities, dict):
        raise MarkupError("Error parsing EntityJSON: the data is not an object")
    return entities


def _parsed(message: str) -> Element:
    try:
        root: Element = fromstring(message)
    except (ParseError, DefusedXmlException, ValueError) as fault:
        raise MarkupError(f"Invalid messageML: {fault}") from fault
    presentation = root.tag == "div" and root.get("data-format") == "PresentationML"
    if root.tag != "messageML" and not presentation:
        raise MarkupError(f'Invalid messageML: root tag must be "messageML", not "{root.tag}"')
    return root


def _opening(root: Element) -> str:
    return WRITTEN_OPENING if root.get("class") == "wysiwyg" else OPENING


def _children(parent: Element, rendering: _Rendering) -> str:
    parts = [html.escape(parent.text or "", quote=False)]
    for child in parent:
        parts.append(_element(child, rendering))
        parts.append(html.escape(child.tail or "", quote=False))
    return "".join(parts)


def _element(element: Element, rendering: _Rendering) -> str:
    special = _SPECIAL.get(element.tag)
    if special is not None:
        return special(element, rendering)
    if element.tag not in _KEPT:
        raise MarkupError(f'Invalid MessageML content at element "{element.tag}"')
    _check_entity(element, rendering)
    return _tag(element.tag, dict(element.attrib), _children(element, rendering))


def _check_entity(element: Element, rendering: _Rendering) -> None:
    name = element.get("data-entity-id")
    if name is not None and name not in rendering.data:
        raise MarkupError(f'Error processing EntityJSON: no entity data provided for "{name}"')


def _tag(name: str, attributes: dict[str, str], inner: str) -> str:
    written = "".join(f' {key}="{html.escape(value)}"' for key, value in attributes.items())
    return f"<{name}{written}/>" if name in _VOID else f"<{name}{written}>{inner}</{name}>"


def _renamed(element: Element, rendering: _Rendering) -> str:
    inner = _children(element, rendering)
    if element.tag == "chime":
        return _tag("audio", _CHIME, "")
    classes = " ".join(part for part in (_CARD_CLASS[element.tag], element.get("class", "")) if part)
    return _tag(_RENAMED[element.tag], {"class": classes}, inner)


_CARD_CLASS = {
    "card": "card",
    "header": "cardHeader",
    "body": "cardBody",
    "expandable-card": "card expandable",
    "chime": "",
}


def _mention(element: Element, rendering: _Rendering) -> str:
    for attribute in ("uid", "email"):
        value = element.get(attribute)
        if value is not None:
            return _mention_of(attribute, value, rendering)
    raise MarkupError('Invalid MessageML: "mention" needs "uid" or "email"')


def _mention_of(attribute: str, value: str, rendering: _Rendering) -> str:
    person = rendering.find_person(attribute, value)
    if person is None:
        raise MarkupError(f"Failed to lookup user {value}")
    identity = [{"type": "com.symphony.user.userId", "value": str(person.user_id)}]
    detail = {"type": "com.symphony.user.mention", "version": "1.0", "id": identity}
    return rendering.entity("mention", f"@{person.display_name}", detail)


def _tagged(kind: str, sign: str, detail_type: str, id_type: str) -> Callable[[Element, _Rendering], str]:
    def render(element: Element, rendering: _Rendering) -> str:
        word = element.get("tag", "")
        if not re.fullmatch(r"[\w.\-]+", word):
            raise MarkupError(f'Invalid value for attribute "tag" of "{element.tag}": "{word}"')
        identity = [{"type": id_type, "value": word}]
        return rendering.entity(kind, sign + word, {"type": detail_type, "version": "1.0", "id": identity})

    return render


def _emoji(element: Element, rendering: _Rendering) -> str:
    code = element.get("shortcode", "").strip(":")
    if not code:
        raise MarkupError('The attribute "shortcode" is required on "emoji"')
    sign = EMOJI.get(code)
    detail: dict[str, Any] = {"shortcode": code, "size": "normal"}
    if sign is not None:
        detail["unicode"] = sign
    return rendering.entity(
        "emoji", sign or f":{code}:", {"type": "com.symphony.emoji", "version": "1.0", "data": detail}
    )


_SPECIAL: dict[str, Callable[[Element, _Rendering], str]] = {
    "mention": _mention,
    "hash": _tagged("keyword", "#", "org.symphonyoss.taxonomy", "org.symphonyoss.taxonomy.hashtag"),
    "cash": _tagged("keyword", "$", "org.symphonyoss.fin.security", "org.symphonyoss.fin.security.id.ticker"),
    "emoji": _emoji,
    **dict.fromkeys(_RENAMED, _renamed),
}


def written(text: str) -> str:
    """The PresentationML of a text a person typed into the Symphony client: one paragraph a line."""
    lines = "".join(f"<p>{html.escape(line, quote=False) or '<br/>'}</p>" for line in text.split("\n"))
    return WRITTEN_OPENING + lines + CLOSING


def plain_text(presentation: str) -> str:
    """The words of a PresentationML text, without tags; blocks and breaks end a line."""
    return html.unescape(_TAG.sub("", _BLOCK_END.sub("\n", presentation))).rstrip("\n")


_SHOWN_WORDS = (
    "div span p br hr b i u ul ol li table thead tbody tfoot tr td th h1 h2 h3 h4 h5 h6 code pre strong em"
)
_SHOWN = frozenset(_SHOWN_WORDS.split())
_SAFE_LINK = re.compile(r"(?:https?|mailto):", re.IGNORECASE)
_SAFE_IMAGE = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,", re.IGNORECASE)


def safe_html(presentation: str) -> str:
    """PresentationML reduced to tags and attributes that cannot run or load anything, for a browser page.

    A text that is not XML is shown as its own source, escaped.
    """
    try:
        return _safe_children(fromstring(presentation))
    except (ParseError, DefusedXmlException, ValueError):
        return html.escape(presentation)


def _safe_children(parent: Element) -> str:
    parts = [html.escape(parent.text or "", quote=False)]
    for child in parent:
        parts.append(_safe_element(child))
        parts.append(html.escape(child.tail or "", quote=False))
    return "".join(parts)


def _safe_element(element: Element) -> str:
    inner = _safe_children(element)
    if element.tag == "a" and _SAFE_LINK.match(element.get("href", "")):
        return _tag(
            "a", {"href": element.get("href", ""), "rel": "noreferrer noopener", "target": "_blank"}, inner
        )
    if element.tag == "img" and _SAFE_IMAGE.match(element.get("src", "")):
        return _tag("img", {"src": element.get("src", ""), "alt": element.get("alt", "")}, "")
    if element.tag not in _SHOWN:
        return inner
    return _tag(element.tag, {"class": "entity"} if element.get("class") == "entity" else {}, inner)
