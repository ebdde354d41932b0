"""The report as one HTML page that opens anywhere: no script, no network, nothing beside the file itself.

Rules of this file: pure. Whatever people wrote is escaped, once, in `_text`; its policy forbids the page
everything but its own style."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, tzinfo
from html import escape
from typing import Any

from bridge.evidence.account import UNTOLD, Account, Attached, Step, Told
from bridge.evidence.disclosure import ALL, NOTHING, PART
from bridge.evidence.phrases import phrase, remark, term

BAR = "█████"
"""What stands for something withheld; always of one length, because a length says something as well."""


def page(account: Account) -> bytes:
    """The whole page."""
    language = account.making.language
    say = phrase("title", language)
    body = "".join(_parts(account, language))
    return (
        f'<!doctype html>\n<html lang="{escape(language)}">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_FORBIDDEN}">\n'
        '<meta name="referrer" content="no-referrer">\n<meta name="viewport" content="width=device-width">\n'
        f"<title>{escape(say)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n{body}</body>\n</html>\n"
    ).encode("utf-8", "replace")


def times(milliseconds: int, zone: tzinfo) -> str:
    """A time in UTC, and in the desk's zone beside it where that is another."""
    if not milliseconds:
        return ""
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    there = moment.astimezone(zone)
    utc = f"{moment:%Y-%m-%d %H:%M:%S}.{milliseconds % 1000:03d} UTC"
    return utc if there.utcoffset() == moment.utcoffset() else f"{utc} ({there:%Y-%m-%d %H:%M:%S} {zone})"


def summary(account: Account) -> Iterator[tuple[str, str | None]]:
    """What stands at the head of a report: phrase and value, None where it is withheld."""
    making, counts = account.making, account.counts
    yield "made", times(making.at, making.zone)
    yield "by", making.person
    yield "case", making.case
    yield "query", account.query
    yield "why", account.reason
    language = making.language
    yield (
        "counts",
        ", ".join(f"{term(name.replace('_', ' '), language)} {count:,}" for name, count in counts.items()),
    )
    for lane, size, root in account.roots:
        yield "tree", f"{term('lane', language)} {lane}, {term('entries', language)} {size:,}, {root}"


def particulars(told: Told, zone: tzinfo, language: str) -> Iterator[tuple[str, str | None]]:
    """The short facts about a message: phrase and value, None where it is withheld."""
    yield "from", told.sender
    yield "to", told.recipient
    yield "sent", times(told.sent_at, zone) if told.sent_at else (None if told.whole else "")
    yield "archived", times(told.archived_at, zone)
    yield "verdict", " > ".join(term(one, language) for one in told.outcomes)
    yield "rules", "; ".join(told.rules) if told.rules is not None else None
    yield "why", told.reason
    yield "policy", ", ".join(f"{name} {digest[:16]}".strip() for name, digest in told.policies)
    yield "receipts", ", ".join(told.receipts)


def place_of(told: Told, language: str) -> str:
    """Where a message came from, what it is, and why it is here."""
    words, _, number = told.why.rpartition(" ")
    why = f"{term(words, language)} {number}" if number.isdecimal() else term(told.why, language)
    return f"{told.network} {told.kind}, {why}"


def missing(one: Mapping[str, Any], language: str) -> str:
    """What is not in the package, and why."""
    head = f"{phrase('message', language)} {one['message']}"
    return f"{head}: {term(one['what'], language)}: {remark(one['reason'], language)}"


def delivered(told: Told, language: str) -> str | None:
    """What is said of the reader's side; None where it is withheld."""
    if told.arrived == NOTHING:
        return phrase("nothing" if told.delivered == "" else "not_sent", language)
    if told.arrived in (ALL, UNTOLD):
        return told.delivered if told.arrived == ALL else phrase("untold", language)
    said = phrase("in_part" if told.arrived == PART else "lost", language)
    return f"{said}\n{BAR if told.delivered is None else told.delivered}"


def below(told: Told) -> str | None:
    """The earlier words that stood above it where it arrived, whole or in part; None where they are
    withheld."""
    return told.below if told.arrived != NOTHING else ""


def done(step: Step) -> str:
    """What an entry says, in a line; who acted and why, as far as it is shown."""
    words = [step.facts, step.person, step.reason]
    return ", ".join(word for word in words if word)


def clean(text: str) -> str:
    """Text without what could turn other text around or is not for eyes: line breaks stay."""
    return "".join(
        one
        if one == "\n" or unicodedata.category(one)[0] != "C" or one in "\u200d\ufe0f"
        else f"[U+{ord(one):04X}]"
        for one in text
    )


# --- parts ----------------------------------------------------------------------------------------------


def _parts(account: Account, language: str) -> Iterator[str]:
    yield f"<h1>{escape(phrase('title', language))}</h1>\n<p>{escape(phrase('intro', language))}</p>\n"
    if account.partial:
        yield f"<p>{escape(phrase('bars', language))}</p>\n"
    yield _table(summary(account), language)
    yield f'<p class="note">{escape(phrase("causes", language))}</p>\n'
    for told in account.messages:
        yield _message(told, language, account.making.zone)
    if account.exclusions:
        yield f"<h2>{escape(phrase('excluded', language))}</h2>\n<ul>\n"
        for one in account.exclusions:
            yield f"<li>{escape(missing(one, language))}</li>\n"
        yield "</ul>\n"


def _message(told: Told, language: str, zone: tzinfo) -> str:
    head = f"{phrase('message', language)} {told.number}"
    small = place_of(told, language)
    parts = [f"<article>\n<h2>{escape(head)} <small>{escape(small)}</small></h2>\n"]
    if told.quote != "":
        parts.append(
            f"<blockquote><b>{escape(phrase('quote', language))}</b> {_text(told.quote)}</blockquote>\n"
        )
    above = f"<blockquote><b>{escape(phrase('below', language))}</b> {_text(below(told))}</blockquote>"
    above = above if below(told) != "" else ""
    sides = (("written", "", told.written), ("delivered", above, delivered(told, language)))
    cells = "".join(
        f"<div><h3>{escape(phrase(key, language))}</h3>{quoted}<p>{_text(value)}</p></div>"
        for key, quoted, value in sides
    )
    parts.append(f'<div class="sides">{cells}</div>\n')
    parts += [_file(one, language) for one in told.files]
    parts.append(_table(particulars(told, zone, language), language))
    parts.append(_steps(told, language, zone))
    return "".join([*parts, "</article>\n"])


def _file(one: Attached, language: str) -> str:
    link = f' <a href="{escape(one.file)}">{escape(one.file)}</a>' if one.file else ""
    digest = f" <code>{escape(one.sha256)}</code>" if one.sha256 else ""
    return f"<p><b>{escape(phrase('files', language))}</b> {_text(one.name)}{link}{digest}</p>\n"


def _table(rows: Iterator[tuple[str, str | None]], language: str) -> str:
    lines = "".join(
        f"<tr><th>{escape(phrase(key, language))}</th><td>{_text(value)}</td></tr>\n"
        for key, value in rows
        if value != ""
    )
    return f"<table>\n{lines}</table>\n"


def _steps(told: Told, language: str, zone: tzinfo) -> str:
    rows = "".join(
        f"<tr><td>{_moment(step.at, zone)}</td><td>{escape(step.kind)}</td>"
        f"<td>{escape(step.place)}</td><td>{_text(done(step))}{_withheld(step, language)}</td>"
        f"<td><code>{step.leaf[:16]}…</code></td></tr>\n"
        for step in told.steps
    )
    return f'<table class="steps">\n<caption>{escape(phrase("life", language))}</caption>\n{rows}</table>\n'


def _moment(at: int, zone: tzinfo) -> str:
    """A time in a narrow column: the desk's own below, on a line of its own."""
    return escape(times(at, zone)).replace(" (", "<br>(")


def _withheld(step: Step, language: str) -> str:
    if not step.withheld:
        return ""
    names = ", ".join(step.withheld)
    return f' <span class="gone">{escape(phrase("withheld", language))}: {escape(names)}</span>'


def _text(value: str | None) -> str:
    if value is None:
        return f'<span class="bar">{BAR}</span>'
    return escape(clean(value)).replace("\n", "<br>")


_FORBIDDEN = "default-src 'none'; style-src 'unsafe-inline'"

_STYLE = """
body{font:15px/1.5 system-ui,"Noto Sans CJK SC","PingFang SC","Microsoft YaHei",sans-serif;max-width:62rem;
margin:2rem auto;padding:0 1rem;color:#1a1a1a;background:#fff}
h1{font-size:1.6rem}h2{font-size:1.15rem;margin:0 0 .5rem}
h2 small{font-weight:400;color:#555;margin-left:.5rem}
h3{font-size:.8rem;margin:0;color:#555;font-weight:600}
article{border-top:2px solid #1a1a1a;padding:1rem 0;margin-top:1.5rem}
.sides{display:grid;grid-template-columns:1fr 1fr;gap:1rem}
.sides div{border:1px solid #bbb;padding:.6rem .8rem}
.sides p{margin:.3rem 0 0;overflow-wrap:anywhere}
p,blockquote{overflow-wrap:anywhere}
blockquote{margin:0 0 .7rem;padding-left:.8rem;border-left:3px solid #bbb}
table{border-collapse:collapse;margin:.8rem 0;width:100%;font-size:.86rem}
caption{text-align:left;font-weight:600}
th,td{text-align:left;vertical-align:top;padding:.2rem .8rem .2rem 0;overflow-wrap:anywhere}
th{white-space:nowrap;color:#555;font-weight:600;width:8rem}
.steps td{border-top:1px solid #ddd}.steps td:nth-child(1),.steps td:nth-child(3){white-space:nowrap}
.steps td:nth-child(2),.steps td:nth-child(5){white-space:nowrap}.note{color:#555;font-size:.86rem}
@media screen and (max-width:52rem){.sides{grid-template-columns:1fr}
.steps,.steps caption,.steps tbody,.steps tr,.steps td{display:block}
.steps tr{border-top:1px solid #ddd;padding:.4rem 0}
.steps td{border:0;padding:0}th{width:5rem;white-space:normal}}
code{font-size:.85em}.bar{background:#000;color:#000}.gone{color:#555;font-style:italic}
@media print{body{margin:0;max-width:none;font-size:11px}.sides div{break-inside:avoid}
.bar{-webkit-print-color-adjust:exact;print-color-adjust:exact}}
"""
