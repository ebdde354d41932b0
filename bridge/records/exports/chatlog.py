"""A conversation as people read it, once as plain text and once as a page: summary, participants, messages.

Rules of this file: pure. The same facts stand in both; whatever would deceive a reader is spelled out
(`legible`), and whatever people wrote is escaped in the page, which has no script and loads nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from bridge.records.exports.legible import altered, one_break, spelled
from bridge.records.exports.natives import account, everybody
from bridge.records.exports.telling import changed, duration, remarks, said, utc, who
from bridge.records.transcript import Came, Line, Party, Request, Slice

COLUMNS = ("User", "Role", "E-mail", "Joined", "Left", "Duration", "Messages")


@dataclass(frozen=True, slots=True)
class Block:
    """The same words twice: as plain text, and as a piece of a page."""

    plain: str
    page: str

    @property
    def size(self) -> int:
        """Bytes of both, in UTF-8."""
        return len(self.plain.encode("utf-8")) + len(self.page.encode("utf-8"))


@dataclass(frozen=True, slots=True)
class Presence:
    """How long somebody was in a conversation. Times are milliseconds, 0 where it did not happen."""

    party: Party
    joined: int
    left: int
    lasted: int
    messages: int


def reach(conversation: Slice) -> tuple[int, int]:
    """The times of the first and the last item; 0 and 0 if there is none."""
    times = [item.at for item in conversation.items]
    return (min(times), max(times)) if times else (0, 0)


def presences(conversation: Slice) -> list[Presence]:
    """Everybody's stay. Whoever was there at the beginning joined at the first item, as far as this tells."""
    return [_presence(party, conversation) for party in everybody(conversation)]


def _presence(party: Party, conversation: Slice) -> Presence:
    start, end = reach(conversation)
    there = account(party) in map(account, conversation.present)
    joined, left, lasted, since = start if there else 0, 0, 0, start
    for item in conversation.items:
        if not isinstance(item, Came) or account(item.party) != account(party) or item.joined == there:
            continue
        if item.joined:
            joined, left, since = joined or item.at, 0, item.at
        else:
            left, lasted = item.at, lasted + item.at - since
        there = item.joined
    lasted += end - since if there else 0
    count = sum(account(line.sender) == account(party) for line in conversation.lines)
    return Presence(party, joined, left, lasted, count)


def heading(request: Request, conversation: Slice, place: int = 1, of: int = 1) -> Block:
    """Summary and participants. `place` and `of` number the mails of one conversation and day."""
    pairs = list(_summary(request, conversation, place, of))
    rows = [_row(one) for one in presences(conversation)]
    plain = "".join(f"{name}: {_flat(value)}\n" for name, value in pairs)
    plain += "\nParticipants (" + " | ".join(COLUMNS) + ")\n"
    plain += "".join("  " + " | ".join(map(_flat, row)) + "\n" for row in rows) + "\nMessages\n"
    head = "".join(f"<th>{name}</th>" for name in COLUMNS)
    body = "".join("<tr>" + "".join(f"<td>{marked(cell)}</td>" for cell in row) + "</tr>\n" for row in rows)
    return Block(plain, f"{_list(pairs)}<table class=participants>\n<tr>{head}</tr>\n{body}</table>\n")


def _summary(request: Request, conversation: Slice, place: int, of: int) -> Iterable[tuple[str, str]]:
    start, end = reach(conversation)
    yield "Conversation", conversation.key
    yield "Title", conversation.title
    yield "Day", f"{conversation.day.isoformat()} ({request.zone}), part {conversation.piece}"
    yield "Started", utc(start)
    yield "Ended", utc(end)
    yield "Duration", duration(end - start)
    yield "Users", str(len(everybody(conversation)))
    yield "Messages", str(sum(1 for _ in conversation.lines))
    yield "Present at the beginning", ", ".join(map(who, conversation.present)) or "nobody"
    yield "Mail", f"{place} of {of}"
    yield "Case", request.case


def _row(one: Presence) -> Sequence[str]:
    party = one.party
    times = (utc(one.joined), utc(one.left), duration(one.lasted))
    return (who(party), party.role, party.address, *times, str(one.messages))


def told(item: Line | Came) -> Block:
    """One message with everything about it, or somebody's coming or going."""
    if isinstance(item, Came):
        plain = f"\n[{utc(item.at)}] * {_flat(changed(item))}\n"
        return Block(plain, f'<p class="presence">[{utc(item.at)}] {marked(changed(item))}</p>\n')
    pairs = [*remarks(item)]
    author = f"{who(item.sender)} <{item.sender.address}>"
    plain = f"\n[{utc(said(item))}] {_flat(author)}\n{_indented(item.text)}\n"
    plain += "".join(f"    - {name}: {_flat(value)}\n" for name, value in pairs)
    article = (
        f'<article id="message-{item.number}">\n<h3>[{utc(said(item))}] {marked(author)}</h3>\n'
        f'<div class="text">{marked(item.text)}</div>\n{_list(pairs)}</article>\n'
    )
    return Block(plain, article)


def exact(line: Line) -> bool:
    """Whether text, what was sent and the quote stand here as they were, nothing spelled out."""
    return not any(map(altered, (line.text, line.sent, line.quote)))


def page(title: str, blocks: Iterable[str]) -> str:
    """A whole page."""
    return (
        '<!doctype html>\n<html><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{ALLOWED}">\n'
        f"<title>{marked(title)}</title>\n<style>{_STYLE}</style></head>\n<body>\n"
        f"<h1>{marked(title)}</h1>\n{''.join(blocks)}</body></html>\n"
    )


ALLOWED = "default-src 'none'; style-src 'unsafe-inline'"
"""What a page may do by its own policy: look as its style says. No script, nothing from a network."""

_STYLE = (
    "body{font-family:sans-serif} .text{white-space:pre-wrap;border-left:3px solid #888;padding-left:.6em}"
    " dt{font-weight:bold;float:left;margin-right:.5em} td,th{text-align:left;padding-right:1em}"
)


def _list(pairs: Iterable[tuple[str, str]]) -> str:
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{marked(value)}</dd>\n" for name, value in pairs)
    return f"<dl>\n{rows}</dl>\n"


def marked(text: str) -> str:
    """A text for a page: what would deceive is spelled out, and nothing in it is markup."""
    return escape(spelled(text)).replace("\r", "&#13;")


def _flat(text: str) -> str:
    """A value on one line: a further line of a value could pass for one of ours."""
    return one_break(spelled(text)).replace("\n", " ⏎ ")


def _indented(text: str) -> str:
    """A text with a mark before each of its lines, whichever sign ended the one before."""
    return "\n".join(f"    > {line}" for line in one_break(spelled(text)).split("\n"))
