"""How diagnostics are shown: to people in a terminal, and to the programs that check a change.

Rules of this file: pure. Columns count characters (code points); carets count terminal cells, in which a
Chinese character takes two. Whatever a file holds, a terminal is never obeyed and a log line never broken.
People see the first `MOST_SHOWN`, errors first; programs get all of them.

Sources: GitHub, "Workflow commands for GitHub Actions" (escaping as its toolkit does it); OASIS, "Static
Analysis Results Interchange Format (SARIF) 2.1.0".
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from bridge.policy.catalogue.pages import PAGES
from bridge.policy.diagnostics import Diagnostic

MOST_SHOWN = 20
WIDEST = 120  # cells of a source line that are shown; of a longer line, what is around the caret
_BEFORE = 40  # of them in front of the caret
_SARIF_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_CULTURE = {"en": "en", "zh-Hans": "zh-CN", "zh-Hant": "zh-HK"}  # SARIF knows no scripts, only places
_MORE = {"en": "and {count} more", "zh-Hans": "另有 {count} 个问题", "zh-Hant": "另有 {count} 個問題"}
_WORDS = {  # error, warning, help
    "en": ("error", "warning", "help: "),
    "zh-Hans": ("错误", "警告", "建议："),
    "zh-Hant": ("錯誤", "警告", "建議："),
}


def render(diagnostics: Sequence[Diagnostic], format: str = "text", language: str = "en") -> str:
    """`diagnostics` as "text", "json", "github" (workflow commands) or "sarif" (2.1.0), in `language`.

    Errors come first, each file's from top to bottom. Raises KeyError for another format.
    """
    files = {name: at for at, name in enumerate(dict.fromkeys(one.file for one in diagnostics))}
    ordered = sorted(diagnostics, key=lambda one: (one.severity, files[one.file], one.place))
    return FORMATS[format](ordered, language)


# --- for people -----------------------------------------------------------------------------------------


def cells(text: str) -> int:
    """How many terminal cells `text` takes."""
    return sum(_cell_width(char) for char in text)


def _cell_width(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def printable(line: str) -> str:
    """`line` with nothing in it that a terminal would obey or a reader would not see."""
    seen = ("�" if unicodedata.category(c) in ("Cc", "Cf", "Cs") else c for c in line.replace("\t", " "))
    return "".join(seen)


def _text(ordered: Sequence[Diagnostic], language: str) -> str:
    blocks = [_block(diagnostic, language) for diagnostic in ordered[:MOST_SHOWN]]
    if len(ordered) > MOST_SHOWN:
        blocks.append(_MORE.get(language, _MORE["en"]).format(count=len(ordered) - MOST_SHOWN))
    return "\n\n".join(blocks)


def _block(diagnostic: Diagnostic, language: str) -> str:
    words = diagnostic.words(language)
    error, warning, help_ = _WORDS.get(language, _WORDS["en"])
    severity = error if diagnostic.severity == "error" else warning
    place = diagnostic.place
    margin = " " * len(str(place.line))
    lines = [
        f"{severity}[{diagnostic.code}]: {printable(words.sentence)}",
        f"{margin}--> {printable(diagnostic.file)}:{place.line}:{place.column}",
    ]
    source = printable(diagnostic.source)
    if source.strip():
        shown, before, covered = _window(source, place.column - 1, place.width)
        carets = " " * cells(before) + "^" * max(cells(covered), 1)
        below = f"{margin} | {carets} {printable(words.label)}".rstrip()
        lines += [f"{margin} |", f"{place.line} | {shown}", below]
    return "\n".join([*lines, f"{margin} = {help_}{printable(words.help)}"])


def _window(source: str, start: int, width: int) -> tuple[str, str, str]:
    """The part of a line that is shown, what of it is before the caret, and what is above it."""
    before, covered = source[:start], source[start : start + width]
    if cells(source) <= WIDEST:
        return source, before, covered
    room = max(_BEFORE, WIDEST - cells(source[start:]) - 2)
    if cells(before) > room:
        before = "…" + _last(before, room)
    covered = _first(covered, WIDEST - cells(before) - 1)
    rest = source[start + len(covered) :]
    after = _first(rest, WIDEST - cells(before) - cells(covered))
    return before + covered + after + ("…" if len(after) < len(rest) else ""), before, covered


def _first(text: str, most: int) -> str:
    """As much of the beginning of `text` as fits into `most` cells."""
    used = 0
    for at, char in enumerate(text):
        used += _cell_width(char)
        if used > most:
            return text[:at]
    return text


def _last(text: str, most: int) -> str:
    return _first(text[::-1], most)[::-1]


# --- for programs ---------------------------------------------------------------------------------------


def _json(ordered: Sequence[Diagnostic], language: str) -> str:
    objects = [_as_object(diagnostic, language) for diagnostic in ordered]
    return json.dumps({"count": len(objects), "diagnostics": objects}, ensure_ascii=False, indent=2)


def _as_object(diagnostic: Diagnostic, language: str) -> dict[str, Any]:
    words = diagnostic.words(language)
    return {
        "code": diagnostic.code,
        "severity": diagnostic.severity,
        "file": diagnostic.file,
        "line": diagnostic.place.line,
        "column": diagnostic.place.column,
        "end_column": diagnostic.place.column + diagnostic.place.width,
        "message": words.sentence,
        "label": words.label,
        "help": words.help,
    }


def _github(ordered: Sequence[Diagnostic], language: str) -> str:
    return "\n".join(_command(diagnostic, language) for diagnostic in ordered)


def _command(diagnostic: Diagnostic, language: str) -> str:
    words, place = diagnostic.words(language), diagnostic.place
    properties = {
        "file": diagnostic.file,
        "line": place.line,
        "endLine": place.line,
        "col": place.column,
        "endColumn": place.column + place.width,
        "title": diagnostic.code,
    }
    written = ",".join(f"{name}={_property(str(value))}" for name, value in properties.items())
    return f"::{diagnostic.severity} {written}::{_data(words.sentence)}%0A{_data(words.help)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _sarif(ordered: Sequence[Diagnostic], language: str) -> str:
    codes = sorted({diagnostic.code for diagnostic in ordered})
    severity = {diagnostic.code: diagnostic.severity for diagnostic in ordered}
    driver = {
        "name": "weighbridge",
        "rules": [_sarif_rule(code, severity[code], language) for code in codes],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "language": _CULTURE[language],
        "results": [_result(diagnostic, codes, language) for diagnostic in ordered],
    }
    log = {"$schema": _SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(log, ensure_ascii=False, indent=2)


def _sarif_rule(code: str, severity: str, language: str) -> dict[str, Any]:
    page = PAGES[language][code]
    return {
        "id": code,
        "shortDescription": {"text": page.title},
        "fullDescription": {"text": page.meaning},
        "help": {"text": f"{page.meaning}\n\n{page.matters}"},
        "defaultConfiguration": {"level": severity},
    }


def _result(diagnostic: Diagnostic, codes: Sequence[str], language: str) -> dict[str, Any]:
    words, place = diagnostic.words(language), diagnostic.place
    region = {
        "startLine": place.line,
        "startColumn": place.column,
        "endColumn": place.column + place.width,
        "snippet": {"text": diagnostic.source},
    }
    where = {"artifactLocation": {"uri": _uri(diagnostic.file)}, "region": region}
    return {
        "ruleId": diagnostic.code,
        "ruleIndex": codes.index(diagnostic.code),
        "level": diagnostic.severity,
        "message": {"text": f"{words.sentence}\n{words.help}"},
        "locations": [{"physicalLocation": where}],
    }


def _uri(file: str) -> str:
    """A file's name as a URI reference: relative names stay relative to where the command was run."""
    path = quote(file.replace("\\", "/"))
    return f"file://{path}" if path.startswith("/") else path


FORMATS: Mapping[str, Callable[[Sequence[Diagnostic], str], str]] = {
    "text": _text,
    "json": _json,
    "github": _github,
    "sarif": _sarif,
}
