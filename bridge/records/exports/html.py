"""Pages that open anywhere: one for each conversation and day, an index for each part, attachments beside.

Rules of this file: pure. No script and nothing from a network: the page's own policy forbids both. Whatever
people wrote is escaped, once, in `marked`; signs that steer or deceive are printed as codes, and that is a
warning, because then the page does not have the very signs. A page's policy ends where a link leads: what a
browser might run has a name under which it runs nowhere (`naming.passive`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from urllib.parse import quote

from bridge.records.exports.attaching import attach
from bridge.records.exports.chatlog import ALLOWED, exact, marked
from bridge.records.exports.choices import word
from bridge.records.exports.labels import LANGUAGES, label
from bridge.records.exports.naming import attachment, of_slice, passive
from bridge.records.exports.reading import Pair, became, change, facts, heading, sides
from bridge.records.transcript import Came, Enclosure, Line, Output, Request, Slice


class Html:
    """See `Format`."""

    name = "html"

    def write(
        self, request: Request, slices: Sequence[Slice], options: Mapping[str, object], out: Output
    ) -> None:
        """See `Format`."""
        language = word(options, "language", LANGUAGES)
        pages = {line.number: of_slice(one, "html") for one in slices for line in one.lines}
        for one in slices:
            with out.file(of_slice(one, "html")) as file:
                for part in _page(one.title, language, _conversation(request, one, language, pages)):
                    file.write(part.encode("utf-8", "replace"))
            for line in one.lines:
                if not exact(line):
                    out.warn("spelled", line.number, "signs that a page cannot show are printed as codes")
        with out.file(f"index-{out.part:05d}.html") as file:
            for part in _page(label("title", language), language, _index(slices)):
                file.write(part.encode("utf-8", "replace"))
        attach(out, slices, passive)


def _page(title: str, language: str, body: Iterable[str]) -> Iterator[str]:
    tongue = "en" if language == "both" else language
    yield (
        f'<!doctype html>\n<html lang="{tongue}">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{ALLOWED}">\n'
        '<meta name="referrer" content="no-referrer">\n<meta name="viewport" content="width=device-width">\n'
        f"<title>{marked(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<h1>{marked(title)}</h1>\n"
    )
    yield from body
    yield "</body>\n</html>\n"


def _index(slices: Sequence[Slice]) -> Iterator[str]:
    yield "<ul>\n"
    for one in slices:
        there = quote(of_slice(one, "html"))
        count = sum(1 for _ in one.lines)
        title = f"{one.day.isoformat()} <bdi>{marked(one.title)}</bdi>"
        yield f'<li><a href="{there}">{title}</a> ({count:,})</li>\n'
    yield "</ul>\n"


def _conversation(request: Request, one: Slice, language: str, pages: Mapping[int, str]) -> Iterator[str]:
    yield _table(heading(request, one, language))
    for item in one.items:
        if isinstance(item, Came):
            yield f'<p class="came">{marked(change(item, language))}</p>\n'
        else:
            yield _message(item, language, pages)


def _message(line: Line, language: str, pages: Mapping[int, str]) -> str:
    parts = [f'<article id="m{line.number}">\n<h2>{escape(label("message", language))} {line.number}</h2>\n']
    for name, value in became(line, language):
        parts.append(f'<p class="became">{escape(name)} {marked(value)}</p>\n')
    parts.append(_links(line, language, pages))
    for key, value in sides(line, language):
        parts.append(f'<h3>{escape(label(key, language))}</h3>\n<p class="{key}">{marked(value)}</p>\n')
    parts += [_file(line, place, file, language) for place, file in enumerate(line.files)]
    return "".join([*parts, _table(facts(line, language)), "</article>\n"])


def _links(line: Line, language: str, pages: Mapping[int, str]) -> str:
    """The messages that this one is about, or that are about it, as far as this part has them."""
    numbers = (line.edits, line.recalls, line.notice_for, *(later.number for later in line.later))
    there = [number for number in numbers if number is not None and number in pages]
    word = escape(label("message", language))
    links = (f'<a href="../{quote(pages[number])}#m{number}">{word} {number}</a>' for number in there)
    return f'<p class="links">{" ".join(links)}</p>\n' if there else ""


def _file(line: Line, place: int, file: Enclosure, language: str) -> str:
    head = f"<b>{escape(label('attachment', language))}</b> {marked(file.name)}"
    if not file.digest:
        return f"<p>{head}: {escape(label('missing', language))} ({marked(file.missing)})</p>\n"
    usual = attachment(line, place, file)
    there = passive(usual)
    about = f"{marked(file.media)}, {file.size:,}, <code>{file.digest}</code>"
    renamed = "" if there == usual else f" {escape(label('renamed', language))}"
    return f'<p><a href="{quote(f"../{there}")}">{head}</a> {about}{renamed}</p>\n'


def _table(pairs: Iterable[Pair]) -> str:
    rows = (f"<tr><th>{escape(name)}</th><td>{marked(value)}</td></tr>\n" for name, value in pairs if value)
    return f"<table>\n{''.join(rows)}</table>\n"


_STYLE = """
body{font:15px/1.5 system-ui,"Noto Sans CJK SC","PingFang SC","Microsoft YaHei",sans-serif;max-width:62rem;
margin:2rem auto;padding:0 1rem;color:#1a1a1a;background:#fff}
h1{font-size:1.5rem}h2{font-size:1.1rem;margin:0}h3{font-size:.8rem;margin:.6rem 0 0;color:#555}
article{border-top:2px solid #1a1a1a;padding:1rem 0;margin-top:1rem}
p.written,p.delivered,p.shown,p.quote{white-space:pre-wrap;overflow-wrap:anywhere;margin:.2rem 0}
p.became{font-weight:600;color:#8a1c1c;margin:.2rem 0}
p.quote{border-left:3px solid #999;padding-left:.6rem}p.came{color:#555}
table{border-collapse:collapse;font-size:.85rem;margin:.6rem 0}
th,td{text-align:left;vertical-align:top;padding:.1rem .8rem .1rem 0;overflow-wrap:anywhere}
th{font-weight:600;color:#555;white-space:nowrap}code{font-size:.75rem}a,b,h1,code,p{overflow-wrap:anywhere}
@media(max-width:40rem){tr,th,td{display:block;white-space:normal}td{padding-bottom:.4rem}}
@media print{article{break-inside:avoid}}
"""

HTML = Html()
