"""What is wrong with a file: where, in one sentence, with one suggestion.

Rules of this file: a diagnostic carries a key and values; its words are looked up when it is shown, so
another language is another table in `TEXTS` and nothing else. Columns count characters; carets count
terminal cells, in which a Chinese character takes two.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

MOST_SHOWN = 20


class Place(NamedTuple):
    """A position: line and column from 1, and how many characters it covers."""

    line: int
    column: int
    width: int = 1


class Text(NamedTuple):
    """The words of one diagnostic: a sentence, what stands beside the caret, and what to do."""

    sentence: str
    label: str = ""
    help: str = ""


_EN = {
    "P001.tab": Text(
        "a tab stands where YAML wants spaces", "tab", "replace it by spaces; two for each level"
    ),
    "P001.star": Text(
        "a value that begins with `*` or `&` must be in quotes",
        "begins here",
        'write "*@example.com", in quotes',
    ),
    "P001.character": Text(
        "this character cannot begin a value", "begins here", "put the whole value in quotes"
    ),
    "P001.colon": Text(
        "a second `:` stands where none can be",
        "not expected here",
        "put the value in quotes, or check the indentation of this line",
    ),
    "P001.no_colon": Text(
        "a key has no `:`", "expected before this", "write `key: value`, with a space behind the `:`"
    ),
    "P001.quote": Text(
        "a quotation mark is opened and never closed", "opened here", "close it with the same mark"
    ),
    "P001.bracket": Text(
        "a bracket is not closed, or a comma is missing",
        "noticed here",
        "check commas and brackets before this place; a text with , ? : or brackets needs quotes",
    ),
    "P001.indent": Text(
        "this line is not indented like its neighbours",
        "noticed here",
        "give lines that belong together the same number of spaces",
    ),
    "P001.control": Text(
        "the file contains a character that cannot be printed", "here", "delete this character"
    ),
    "P001.deep": Text("the file nests more than {limit} levels deep", "too deep", "write it flatter"),
    "P001.other": Text(
        "this is not YAML: {problem}", "noticed here", "check quotes, brackets and indentation"
    ),
    "P002": Text(
        "`{key}` is written twice in the same place",
        "written again",
        "keep one of the two; it was first written on line {first}",
    ),
    "P003.anchor": Text(
        "anchors are not part of the language", "`&{name}`", "write the value out where it is used"
    ),
    "P003.alias": Text("aliases are not part of the language", "`*{name}`", "write the value out"),
    "P004": Text(
        "tags are not part of the language", "`{tag}`", "delete the tag: each value has the type of its key"
    ),
    "P005": Text("merge keys are not part of the language", "`<<`", "write the keys out where they are used"),
    "P006.key": Text(
        "`{mark}` in a key is a Chinese punctuation mark",
        "Chinese mark",
        "write `{ascii} ` (with a space behind it)",
    ),
    "P006.structure": Text(
        "`{mark}` is a Chinese punctuation mark where YAML wants its own", "Chinese mark", "write `{ascii} `"
    ),
    "P006.quotes": Text(
        "`{mark}` does not quote in YAML: the marks would become part of the text",
        "Chinese mark",
        "write \"…\"; if the marks belong to the text, put all of it in '…'",
    ),
    "P006.comma": Text(
        "`{mark}` does not separate the entries of a list",
        "Chinese mark",
        "write `, `; if the mark belongs to the text, put the entry in quotes",
    ),
    "P007.several": Text(
        "the file holds several documents", "second begins", "put each policy into a file of its own"
    ),
    "P007.empty": Text(
        "the file is empty", "nothing here", "begin with `policy:`, a name, and `language: 1`"
    ),
    "P008.missing": Text("the file `{path}` cannot be read", "", "check the name and the rights"),
    "P008.encoding": Text("the file is not UTF-8 text", "first bad byte", "save it as UTF-8"),
    "P008.large": Text("the file is larger than {limit} MB", "", "split it"),
    "P010": Text("`{key}` is not a key that can be used here", "unknown key", "keys here: {choices}"),
    "P010.near": Text("`{key}` is not a key that can be used here", "unknown key", "did you mean `{guess}`?"),
    "P010.twin": Text(
        "`{key}` is not a key that can be used here, and `{guess}` is missing",
        "unknown key",
        "did you mean `{guess}`?",
    ),
    "P011": Text("`{value}` is not one of the words for `{key}`", "unknown word", "words: {choices}"),
    "P011.near": Text(
        "`{value}` is not one of the words for `{key}`", "unknown word", "did you mean `{guess}`?"
    ),
    "P012": Text("`{key}` is missing", "belongs in here", "add `{key}:`"),
    "P013.text": Text(
        "`{key}` wants a text", "not a text", "write one value, in quotes if it has special characters"
    ),
    "P013.none": Text("`{key}` has no value", "nothing behind it", "write a value or delete the key"),
    "P013.mapping": Text(
        "`{key}` wants keys and values",
        "no keys here",
        "write `key: value` lines below it, or {{ key: value }}",
    ),
    "P013.root": Text(
        "a policy file is made of keys and values", "no key", "begin with `policy:` and a name"
    ),
    "P013.list": Text("`{key}` wants a list", "not a list", "write [one, two] or lines that begin with `- `"),
    "P013.number": Text("`{key}` wants a whole number", "not a number", "write digits only"),
    "P013.range": Text("`{key}` is out of range: {bound}", "out of range", "choose a number in the range"),
    "P013.long": Text("`{key}` is too long: {bound}", "too long", "make it shorter"),
    "P013.true": Text("`{key}` wants the word `true`", "not `true`", "write `{key}: true` or delete the key"),
    "P013.switch": Text("`{key}` wants `true` or `false`", "neither", "write `true` or `false`"),
    "P013.true_or_mapping": Text(
        "`{key}` wants `true` or keys and values", "neither", "write `{key}: true` or `{key}: {{ … }}`"
    ),
    "P013.date": Text("`{key}` wants a date", "not a date", "write it like 2027-01-31"),
    "P013.time": Text("`{key}` wants a date and time", "not a time", 'write it like "2026-11-20 23:10"'),
    "P013.duration": Text(
        "`{key}` wants a length of time", "not a length of time", "write it like 30m, 24h or 7d"
    ),
    "P013.timezone": Text("`{key}` wants a time zone", "not a known zone", "write it like Asia/Hong_Kong"),
    "P013.name": Text(
        "`{value}` cannot be a name", "not a name", "use letters, digits, `-`, `_` and `.`, without spaces"
    ),
    "P013.key": Text("a key must be one piece of text", "not a text", "write `key: value`"),
    "P013.other": Text("`{key}` cannot have this value", "not possible", "see the guide for `{key}`"),
    "P014.list": Text("a list has either `words` or `file`", "this list", "write one of the two"),
    "P014.columns": Text(
        "`file` and `columns` belong together", "this list", "name the columns that hold words"
    ),
    "P014.stale": Text(
        "only a list from a file can grow old",
        "this list",
        "delete `stale_after`, or write the words in a file",
    ),
    "P014.deliver": Text("a rule cannot `deliver` and `{other}`", "both are here", "keep one of the two"),
    "P014.nothing": Text(
        "the rule says nothing that follows",
        "nothing follows",
        "add redact, hold, block, deliver, tag or tell_sender",
    ),
    "P014.redact": Text(
        "the rule masks but looks for nothing", "nothing to mask", "name detectors: `finds: [card]`"
    ),
    "P014.show_match": Text("`show_match` needs a text to show it in", "no text", "add `tell_sender`"),
    "P020": Text(
        "rule `{rule}` looks for `{name}`, which is not a detector",
        "not defined under `detectors:`",
        "detectors here: {choices}",
    ),
    "P020.near": Text(
        "rule `{rule}` looks for `{name}`, which is not a detector",
        "not defined under `detectors:`",
        "did you mean `{guess}`? (line {line})",
    ),
    "P021": Text(
        "detector `{owner}` uses `{name}`, which is not a list",
        "not defined under `lists:`",
        "lists here: {choices}",
    ),
    "P021.near": Text(
        "detector `{owner}` uses `{name}`, which is not a list",
        "not defined under `lists:`",
        "did you mean `{guess}`? (line {line})",
    ),
    "P022": Text(
        "rule `{rule}` names `{name}`, which is not a group",
        "not defined under `groups:`",
        "groups here: {choices}",
    ),
    "P022.near": Text(
        "rule `{rule}` names `{name}`, which is not a group",
        "not defined under `groups:`",
        "did you mean `{guess}`? (line {line})",
    ),
    "P023.rule": Text(
        "two rules have the id `{name}`", "used again", "choose another id; the first is on line {line}"
    ),
    "P023.policy": Text(
        "two files are called `{name}`", "used again", "choose another name; the first file is {file}"
    ),
    "P024.missing": Text(
        "the list file `{path}` cannot be read", "not found", "paths are relative to this policy file"
    ),
    "P024.outside": Text(
        "the list file `{path}` is not beside the policy",
        "leads elsewhere",
        "keep lists in the policy's own folder, and name them without `..`",
    ),
    "P024.column": Text(
        "the list file `{path}` has no column `{name}`", "no such column", "its columns: {choices}"
    ),
    "P024.column.near": Text(
        "the list file `{path}` has no column `{name}`", "no such column", "did you mean `{guess}`?"
    ),
    "P024.empty": Text("the list `{name}` has no words", "no words", "add words, or delete the list"),
    "P024.encoding": Text(
        "the list file `{path}` is not UTF-8 text", "this file", "save it as UTF-8 (in Excel: CSV UTF-8)"
    ),
    "P024.csv": Text(
        "the list file `{path}` is not CSV", "this file", "save it as CSV with a first line of column names"
    ),
    "P024.invisible": Text("a word has no visible character", "this word", "delete it"),
    "P024.long": Text(
        "the list file `{path}` has a word of more than {limit} characters", "this file", "shorten the word"
    ),
    "P025": Text(
        "`unless_words` names `{word}`, which is not a word of this list",
        "not a word of the list",
        "write a word of the list, in front of the longer words that make it innocent",
    ),
    "P025.longer": Text(
        "`{longer}` does not contain `{word}`, so it can never make it innocent",
        "does not contain it",
        "write a longer word with `{word}` in it",
    ),
    "P030": Text(
        "rule `{rule}` is enforced, but no test shows it acting",
        "never seen acting",
        "add a test in which it masks, holds or blocks",
    ),
    "P031.detector": Text(
        "detector `{name}` is not used by any rule", "not used", "use it in `finds`, or delete it"
    ),
    "P031.list": Text(
        "list `{name}` is not used by any detector", "not used", "use it in a detector, or delete it"
    ),
    "P031.group": Text(
        "group `{name}` is not used by any rule", "not used", "use it in a rule, or delete it"
    ),
    "P033": Text(
        "rule `{rule}` does not say why it exists",
        "no `because`",
        "add `because:` with the regulation or memo",
    ),
    "P034": Text(
        "`{word}` is a single Chinese character and will be found in many words",
        "one character",
        "use a longer word",
    ),
    "P040": Text("the pattern cannot be used: {problem}", "not a usable pattern", "{advice}"),
    "P041": Text(
        "the pattern also matches nothing at all",
        "matches the empty text",
        "make at least one part of it obligatory",
    ),
    "P042": Text(
        "`\\b` does not see Chinese characters as it sees letters",
        "`\\b` in a pattern",
        "delete it and write `boundary: word` instead",
    ),
    "P050": Text(
        "`{key}` belongs to the language but is not enforced by this version",
        "not enforced",
        "remove it: a policy that is silently not enforced would be worse",
    ),
    "P051": Text("this version reads language 1", "another language", "write `language: 1`"),
    "P060": Text("test of rule `{rule}` fails: {problem}", "this test", "mend the rule or the test"),
}
TEXTS: Mapping[str, Mapping[str, Text]] = {"en": _EN}
WARNINGS = frozenset({"P030", "P031", "P033", "P034", "P041"})


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One problem of one file. `key` names its text; `source` is the line it stands in."""

    key: str
    file: str
    place: Place
    source: str = ""
    values: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def code(self) -> str:
        """The code that people quote: P010."""
        return self.key.partition(".")[0]

    @property
    def severity(self) -> str:
        """ "error" or "warning"."""
        return "warning" if self.code in WARNINGS else "error"

    def words(self, language: str = "en") -> Text:
        """Sentence, label and help in `language`."""
        table = TEXTS.get(language, _EN)
        return Text(*(part.format(**self.values) for part in table.get(self.key, _EN[self.key])))

    def __str__(self) -> str:
        return f"{self.file}:{self.place.line}:{self.place.column}: {self.code} {self.words().sentence}"


@dataclass(frozen=True, slots=True)
class Page:
    """A file as a reader sees it."""

    name: str
    text: str
    lines: Sequence[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        # YAML 1.1 ends lines at NEL, LS and PS too; so must we, or every line below is misnumbered.
        text = self.text.replace("\r\n", "\n")
        for mark in "\r\x85\u2028\u2029":
            text = text.replace(mark, "\n")
        object.__setattr__(self, "lines", text.split("\n"))

    def report(self, key: str, place: Place, /, **values: Any) -> Diagnostic:
        """A diagnostic about `place` of this page."""
        line = self.lines[place.line - 1] if place.line <= len(self.lines) else ""
        return Diagnostic(key, self.name, place, line, values)

    def within(self, place: Place) -> Place:
        """`place`, or the end of the last written line if the page ends before it."""
        if place.line <= len(self.lines) and (place.line < len(self.lines) or self.lines[place.line - 1]):
            return place
        written = [number for number, line in enumerate(self.lines, start=1) if line.strip()]
        last = written[-1] if written else 1
        return Place(last, len(self.lines[last - 1]) + 1)


# --- showing --------------------------------------------------------------------------------------------


def cells(text: str) -> int:
    """How many terminal cells `text` takes."""
    return sum(_cell_width(char) for char in text)


def _cell_width(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _printable(line: str) -> str:
    """`line` with nothing in it that a terminal would obey or a reader would not see."""
    seen = ("�" if unicodedata.category(c) in ("Cc", "Cf") else c for c in line.replace("\t", " "))
    return "".join(seen)


def _as_text(diagnostic: Diagnostic, language: str) -> str:
    words = diagnostic.words(language)
    place = diagnostic.place
    source = _printable(diagnostic.source)
    before = source[: place.column - 1]
    covered = source[place.column - 1 : place.column - 1 + place.width] or " "
    margin = " " * len(str(place.line))
    lines = [
        f"{diagnostic.severity}[{diagnostic.code}]: {words.sentence}",
        f"{margin}--> {diagnostic.file}:{place.line}:{place.column}",
    ]
    if source.strip():
        carets = " " * cells(before) + "^" * max(cells(covered), 1)
        lines += [f"{margin} |", f"{place.line} | {source}", f"{margin} | {carets} {words.label}".rstrip()]
    return "\n".join([*lines, f"{margin} = help: {words.help}"])


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


def render(diagnostics: Sequence[Diagnostic], format: str = "text", language: str = "en") -> str:
    """`diagnostics` for people ("text") or programs ("json"): the first 20, errors first, and how many."""
    ordered = sorted(diagnostics, key=lambda d: d.severity)
    shown = ordered[:MOST_SHOWN]
    if format == "json":
        objects = [_as_object(diagnostic, language) for diagnostic in shown]
        return json.dumps({"count": len(ordered), "diagnostics": objects}, ensure_ascii=False, indent=2)
    blocks = [_as_text(diagnostic, language) for diagnostic in shown]
    if len(ordered) > len(shown):
        blocks.append(f"and {len(ordered) - len(shown)} more")
    return "\n\n".join(blocks)
