"""From bytes to a policy that can judge: every problem of every file at once, each with its position.

Rules of this file: what checks is what runs. `check` and `load` are one function, and a file whose own
tests fail is refused. Only `_file` opens files, for `read`; everything else works on `Source` values.
Names are checked even where the schema is not kept, on whatever could be read.
"""

from __future__ import annotations

import csv
import datetime
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

import re2

from bridge.errors import PolicyError
from bridge.policy import language as lang
from bridge.policy.compiled import Draft, PolicySet, build
from bridge.policy.decoding import decode, guess, listing
from bridge.policy.diagnostics import Diagnostic, Page, Phrase, Place
from bridge.policy.document import Document, Node, compose
from bridge.policy.folding import fold
from bridge.policy.patterns import compile_pattern
from bridge.policy.trial import TrialResult, run_tests

LARGEST = 4 << 20  # bytes of one policy file


@dataclass(frozen=True, slots=True)
class Source:
    """The bytes of one policy file and of the list files beside it that it names.

    `changed` says when each list file was last written, with a time zone. It is no part of the hash: it
    decides whether a list may still be used, not what it says.
    """

    name: str
    data: bytes = field(repr=False)
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    changed: Mapping[str, datetime.datetime] = field(default_factory=dict)

    @property
    def hash(self) -> str:
        """SHA-256 over the file and its lists, each with its name and length; lower-case hex."""
        digest = hashlib.sha256(b"weighbridge policy 1\n")
        for name, data in [("", self.data), *sorted(self.files.items())]:
            digest.update(f"{name}\0{len(data)}\n".encode())
            digest.update(data)
        return digest.hexdigest()


# --- the door -------------------------------------------------------------------------------------------


def load(paths: Sequence[Path]) -> PolicySet:
    """The policies of `paths`, ready to judge. Raises `PolicyError` with every diagnostic."""
    policies, diagnostics = _load(paths)
    if policies is None or any(problem.severity == "error" for problem in diagnostics):
        raise PolicyError(diagnostics)
    return policies


def check(paths: Sequence[Path]) -> list[Diagnostic]:
    """Every error and warning of the files at `paths`: what `load` would say."""
    return _load(paths)[1]


def _load(paths: Sequence[Path]) -> tuple[PolicySet | None, list[Diagnostic]]:
    sources, unread = read(paths)
    policies, diagnostics = assemble(sources)
    return (None if unread else policies), [*unread, *diagnostics]


def read(paths: Sequence[Path]) -> tuple[list[Source], list[Diagnostic]]:
    """The files at `paths` with the lists they name, and a diagnostic for each that cannot be read."""
    sources: list[Source] = []
    problems: list[Diagnostic] = []
    for path in map(Path, paths):
        found = _file(path)
        if found is None:
            problems.append(Page(str(path), "").report("P008.missing", Place(1, 1), path=path))
        else:
            listed = {name: _file(path.parent / name) for name in _list_files(found[0])}
            beside = {name: file for name, file in listed.items() if file is not None}
            files = {name: data for name, (data, _) in beside.items()}
            sources.append(Source(str(path), found[0], files, {name: t for name, (_, t) in beside.items()}))
    return sources, problems


def _file(path: Path) -> tuple[bytes, datetime.datetime] | None:
    """What is in the file at `path` and since when; None if it cannot be read. Only here are files opened."""
    try:
        return path.read_bytes(), datetime.datetime.fromtimestamp(path.stat().st_mtime, datetime.UTC)
    except (OSError, ValueError):
        return None


def assemble(sources: Sequence[Source]) -> tuple[PolicySet | None, list[Diagnostic]]:
    """The policies of `sources`, None if one of them cannot be used, and everything there is to say.

    Failing tests are reported as errors (P060); the policies are there all the same, so that they can be
    looked into.
    """
    readings = [_Reading(source) for source in sources]
    problems = [problem for reading in readings for problem in reading.problems]
    problems += _equal_names(readings)
    drafts = [reading.draft for reading in readings if reading.draft is not None]
    if any(problem.severity == "error" for problem in problems):
        return None, problems
    policies = build(drafts)
    for reading, policy in zip(readings, policies.policies, strict=True):
        problems += _trial_problems(reading, run_tests(policy))
    warnings = [problem for problem in problems if problem.severity == "warning"]
    return replace(policies, warnings=tuple(warnings)), problems


def _equal_names(readings: Sequence[_Reading]) -> Iterator[Diagnostic]:
    first: dict[str, str] = {}
    for reading in readings:
        node = reading.root.child("policy") if reading.root else None
        if node is None or not isinstance(node.value, str):
            continue
        if node.value in first:
            values = {"name": node.value, "file": first[node.value]}
            yield reading.page.report("P023.policy", node.place, **values)
        first.setdefault(node.value, reading.page.name)


def _trial_problems(reading: _Reading, results: Sequence[TrialResult]) -> Iterator[Diagnostic]:
    assert reading.draft is not None and reading.root is not None
    file = reading.draft.model
    for result in results:
        if not result.passed:
            place = reading.place("rules", result.rule_index, "tests", result.test_index, "given")
            yield reading.page.report("P060", place, rule=result.rule, problem=result.problem)
    shown = {result.rule for result in results if result.acted or not result.passed}
    for index, rule in enumerate(file.rules):
        if (rule.mode or file.defaults.mode) == "enforce" and rule.id not in shown:
            yield reading.page.report("P030", reading.place("rules", index, "id"), rule=rule.id)


# --- one file -------------------------------------------------------------------------------------------


def _decode(data: bytes) -> str:
    return data.decode("utf-8-sig")


def _list_files(data: bytes) -> list[str]:
    """The list files that a policy names, as far as it can be read; never one that leads elsewhere."""
    try:
        root = compose("", _decode(data)).root if len(data) <= LARGEST else None
    except UnicodeDecodeError:
        return []
    lists = root.child("lists") if root else None
    files = [node.child("file") for node in _entries(lists).values()]
    return [str(f.value) for f in files if f is not None and isinstance(f.value, str) and _is_beside(f.value)]


def _is_beside(name: str) -> bool:
    path = PurePosixPath(name)
    return bool(name) and "\0" not in name and not path.is_absolute() and ".." not in path.parts


def _entries(node: Node | None) -> dict[str, Node]:
    """The keys and values of a mapping; nothing for anything else."""
    if node is None or not isinstance(node.value, dict):
        return {}
    return {key: child for key, (_, child) in node.value.items()}


def _scalars(node: Node | None) -> list[Node]:
    """The texts of a value that is one text or a list of them."""
    if node is None:
        return []
    nodes = node.value if isinstance(node.value, list) else [node]
    return [n for n in nodes if isinstance(n.value, str)]


class _Reading:
    """One file, read as far as it goes."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.problems: list[Diagnostic] = []
        self.draft: Draft | None = None
        document = self._document()
        self.page: Page = document.page
        self.root: Node | None = document.root
        self.problems += document.problems
        if self.root is not None:
            self._check(self.root)

    def place(self, *steps: str | int) -> Place:
        """Where the value at the end of `steps` stands, or the nearest thing above it."""
        node = self.root
        for step in steps:
            node = (node and node.child(step)) or node
        return node.place if node else Place(1, 1)

    def report(self, key: str, place: Place, /, **values: Any) -> None:
        """Add a diagnostic."""
        self.problems.append(self.page.report(key, place, **values))

    def _document(self) -> Document:
        data, name = self.source.data, self.source.name
        if len(data) > LARGEST:
            page = Page(name, "")
            return Document(page, None, [page.report("P008.large", Place(1, 1), limit=LARGEST >> 20)])
        try:
            return compose(name, _decode(data))
        except UnicodeDecodeError as error:
            page = Page(name, data.decode("utf-8", "replace"))
            before = data[: error.start].decode("utf-8", "replace")
            place = Place(before.count("\n") + 1, len(before) - before.rfind("\n"))
            return Document(page, None, [page.report("P008.encoding", place)])

    def _check(self, root: Node) -> None:
        said = {problem.place[:2] for problem in self.problems}
        model, found = decode(self.page, root)
        self.problems += [problem for problem in found if problem.place[:2] not in said]
        words = self._words(root)
        self._names(root)
        self._patterns(root)
        if model is not None and not any(problem.severity == "error" for problem in self.problems):
            self._lint(root, model)
            self.draft = Draft(model, words, self.source.hash, self.source, self._expires(model))

    def _expires(self, model: lang.PolicyFile) -> dict[str, datetime.datetime | None]:
        """Until when each list that can grow old may be used, of those that an enforced rule looks for."""
        enforced = [rule for rule in model.rules if (rule.mode or model.defaults.mode) == "enforce"]
        finds = {name for rule in enforced for name in rule.when.finds or ()}
        finds |= {name for rule in enforced if rule.unless for name in rule.unless.finds or ()}
        lists = [d.list for name, d in model.detectors.items() if name in finds and d.type == "words"]
        needed = {name: model.lists[name] for names in lists for name in names}
        ages = {name: some.stale_after for name, some in needed.items() if some.stale_after is not None}
        changed = {name: self.source.changed.get(needed[name].file or "") for name in ages}
        return {name: when and when + ages[name] for name, when in changed.items()}

    # names

    def _names(self, root: Node) -> None:
        detectors, lists = _entries(root.child("detectors")), _entries(root.child("lists"))
        groups = _entries(root.child("groups"))
        for owner, node in detectors.items():
            self._known("P021", _scalars(node.child("list")), lists, root.child("lists"), owner=owner)
        first: dict[str, int] = {}
        rules = root.child("rules")
        for rule in rules.value if rules is not None and isinstance(rules.value, list) else []:
            name = self._rule_name(rule, first)
            for section in (rule.child("when"), rule.child("unless")):
                if section is not None:
                    finds, who = _scalars(section.child("finds")), _scalars(section.child("groups"))
                    self._known("P020", finds, detectors, root.child("detectors"), rule=name)
                    self._known("P022", who, groups, root.child("groups"), rule=name)

    def _rule_name(self, rule: Node, first: dict[str, int]) -> str:
        node = rule.child("id")
        if node is None or not isinstance(node.value, str):
            return "?"
        if node.value in first:
            self.report("P023.rule", node.place, name=node.value, line=first[node.value])
        first.setdefault(node.value, node.place.line)
        return node.value

    def _known(
        self, key: str, used: Sequence[Node], defined: Mapping[str, Node], section: Node | None, **who: str
    ) -> None:
        for node in used:
            if node.value and node.value not in defined:
                near = guess(node.value, defined)
                line = section.key(near).line if near and section else 0
                values = {
                    "name": node.value,
                    "guess": near,
                    "line": line,
                    "choices": listing(defined),
                    **who,
                }
                self.report(f"{key}.near" if near else key, node.place, **values)

    # lists

    def _words(self, root: Node) -> dict[str, list[str]]:
        lists = root.child("lists")
        found: dict[str, list[str]] = {}
        for name, node in _entries(lists).items():
            if isinstance(node.value, dict):
                before = len(self.problems)
                found[name] = self._words_of(node)
                self._innocent(node, found[name])
                if not found[name] and len(self.problems) == before and "words" in node.value:
                    self.report("P024.empty", lists.key(name) if lists else node.place, name=name)
        return found

    def _words_of(self, node: Node) -> list[str]:
        file = node.child("file")
        if file is not None and isinstance(file.value, str) and file.value:
            return self._words_from_file(file, _scalars(node.child("columns")))
        words = _scalars(node.child("words"))
        for word in words:
            self._odd(word.value, word.place)
        return [word.value for word in words]

    def _innocent(self, node: Node, words: Sequence[str]) -> None:
        """Check that `unless_words` are about words of the list, and longer than them."""
        known = {fold(word).strip() for word in words}
        section = node.child("unless_words")
        for word, longer in _entries(section).items():
            folded = fold(word).strip()
            if known and folded not in known and section is not None:
                self.report("P025", section.key(word), word=word)
                continue
            for one in _scalars(longer):
                if folded not in fold(one.value):
                    self.report("P025.longer", one.place, word=word, longer=one.value)

    def _odd(self, word: str, place: Place) -> None:
        """Report a word that finds nothing or nearly everything."""
        if word and not fold(word).strip():
            self.report("P024.invisible", place)
        elif len(word) == 1 and not word.isascii():
            self.report("P034", place, word=word)

    def _words_from_file(self, file: Node, columns: Sequence[Node]) -> list[str]:
        path = file.value
        if not _is_beside(path):
            self.report("P024.outside", file.place, path=path)
            return []
        data = self.source.files.get(path)
        if data is None:
            self.report("P024.missing", file.place, path=path)
            return []
        try:
            lines = [line + "\n" for line in _decode(data).split("\n")]
            header = next(csv.reader(lines, strict=True), [])
            rows = list(csv.DictReader(lines, strict=True))
        except UnicodeDecodeError:
            self.report("P024.encoding", file.place, path=path)
            return []
        except csv.Error:
            self.report("P024.csv", file.place, path=path)
            return []
        return self._cells(file, columns, header, rows)

    def _cells(
        self, file: Node, columns: Sequence[Node], header: Sequence[str], rows: Sequence[Mapping[str, Any]]
    ) -> list[str]:
        for column in columns:
            if column.value not in header:
                near = guess(column.value, header)
                values = {
                    "path": file.value,
                    "name": column.value,
                    "guess": near,
                    "choices": listing(header),
                }
                self.report("P024.column.near" if near else "P024.column", column.place, **values)
        names = [column.value for column in columns if column.value in header]
        words = [(row.get(name) or "").strip() for row in rows for name in names]
        words = [word for word in words if word]
        for word in words:
            self._odd(word, file.place)
            if len(word) > lang.LONGEST_WORD:
                self.report("P024.long", file.place, path=file.value, limit=lang.LONGEST_WORD)
        if names and not words:
            self.report("P024.empty", file.place, name=file.value)
        return words

    # patterns

    def _patterns(self, root: Node) -> None:
        for node in _entries(root.child("detectors")).values():
            pattern = node.child("pattern")
            if pattern is not None and isinstance(pattern.value, str) and pattern.value:
                self._pattern(pattern)

    def _pattern(self, node: Node) -> None:
        if re.search(r"(?<!\\)(?:\\\\)*\\[bB]", node.value):
            self.report("P042", self._fragment(node, "\\b"))
            return
        try:
            compiled = compile_pattern(node.value)
        except re2.error as error:
            problem = error.args[0]
            problem = problem.decode("utf-8", "replace") if isinstance(problem, bytes) else str(problem)
            problem = problem.replace("(?m)", "")
            place = self._fragment(node, problem.partition(": ")[2])
            self.report("P040", place, problem=problem, advice=_advice(problem))
            return
        if compiled.fullmatch(""):
            self.report("P041", node.place)

    def _fragment(self, node: Node, fragment: str) -> Place:
        """Where `fragment` of a pattern stands, the whole pattern if that cannot be told."""
        line = self.page.lines[node.place.line - 1]
        start = line.find(fragment, node.place.column - 1) if fragment else -1
        inside = node.place.column - 1 <= start < node.place.column - 1 + node.place.width
        return Place(node.place.line, start + 1, len(fragment)) if inside else node.place

    # lints

    def _lint(self, root: Node, model: lang.PolicyFile) -> None:
        conditions = [c for rule in model.rules for c in (rule.when, rule.unless) if c is not None]
        finds = {name for c in conditions for name in c.finds or ()}
        groups = {name for c in conditions for name in c.groups or ()}
        lists = {n for d in model.detectors.values() if isinstance(d, lang.WordsDetector) for n in d.list}
        for section, used, kind in (
            ("detectors", finds, "detector"),
            ("lists", lists, "list"),
            ("groups", groups, "group"),
        ):
            node = root.child(section)
            for name in _entries(node):
                if node is not None and name not in used:
                    self.report(f"P031.{kind}", node.key(name), name=name)
        for index, rule in enumerate(model.rules):
            if rule.because is None:
                self.report("P033", self.place("rules", index, "id"), rule=rule.id)


_ADVICE = (
    ("(?<", "advice.behind"),
    ("(?", "advice.ahead"),
    ("repetition size", "advice.size"),
    ("repetition operator", "advice.operator"),
    ("no argument for repetition", "advice.argument"),
    ("missing )", "advice.open"),
    ("unexpected )", "advice.closed"),
    ("missing ]", "advice.square"),
    ("character class", "advice.range"),
    ("escape", "advice.escape"),
    ("large", "advice.large"),
)


def _advice(problem: str) -> Phrase:
    return Phrase(next((advice for said, advice in _ADVICE if said in problem), "advice.guide"))
