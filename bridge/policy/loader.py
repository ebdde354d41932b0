"""From bytes to a policy that can judge: every problem of every file at once, each with its position.

Rules of this file: what checks is what runs. `check` and `load` are one function, and a file whose own
tests fail is refused. Only `_file` opens files, for `read`; everything else works on `Source` values.
Names and words are checked even where the grammar is not kept, on whatever could be read. The day is an
argument, and only those who ask get it: a policy that was good yesterday loads today.
"""

from __future__ import annotations

import datetime
import functools
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import re2

from bridge.errors import PolicyError
from bridge.policy import language as lang
from bridge.policy.compiled import Draft, PolicySet, build
from bridge.policy.decoding import decode
from bridge.policy.diagnostics import Diagnostic, Page, Phrase, Place
from bridge.policy.document import Document, Node, compose, entries
from bridge.policy.lints import Written, endless, found_by, lint, overdue
from bridge.policy.naming import check_names
from bridge.policy.patterns import compile_pattern
from bridge.policy.trial import TrialResult, run_tests
from bridge.policy.wordlists import ListWords, is_beside, read_list

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


def check(paths: Sequence[Path], now: datetime.datetime | None = None) -> list[Diagnostic]:
    """Every error and warning of the files at `paths`: what `load` would say.

    With `now` (which has a time zone) also what has become wrong with time, see `assemble`.
    """
    return _load(paths, now)[1]


def _load(
    paths: Sequence[Path], now: datetime.datetime | None = None
) -> tuple[PolicySet | None, list[Diagnostic]]:
    sources, unread = read(paths)
    policies, diagnostics = assemble(sources, now)
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
            listed = {name: _beside(path.parent, name) for name in _list_files(str(path), found[0])}
            beside = {name: file for name, file in listed.items() if file is not None}
            files = {name: data for name, (data, _) in beside.items()}
            sources.append(Source(str(path), found[0], files, {name: t for name, (_, t) in beside.items()}))
    return sources, problems


def _beside(folder: Path, name: str) -> tuple[bytes, datetime.datetime] | None:
    """What is in a list file, unless a link in it leads out of the policy's own folder: None."""
    try:
        inside = (folder / name).resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError):
        return None
    return _file(folder / name) if inside else None


def _file(path: Path) -> tuple[bytes, datetime.datetime] | None:
    """What is in the file at `path` and since when; None if it cannot be read. Only here are files opened."""
    try:
        if not path.is_file():  # a pipe would keep its reader waiting for ever
            return None
        return path.read_bytes(), datetime.datetime.fromtimestamp(path.stat().st_mtime, datetime.UTC)
    except (OSError, ValueError):
        return None


def assemble(
    sources: Sequence[Source], now: datetime.datetime | None = None
) -> tuple[PolicySet | None, list[Diagnostic]]:
    """The policies of `sources`, None if one of them cannot be used, and everything there is to say.

    Failing tests are reported as errors (P060); the policies are there all the same, so that they can be
    looked into. With `now` (which has a time zone) it is also said what is overdue: reviews (P036),
    exceptions that end soon (P037) or have ended (P026, an error), lists too old (P039).
    """
    readings = [_Reading(source) for source in sources]
    problems = [problem for reading in readings for problem in reading.problems]
    problems += _equal_names(readings)
    problems += endless([reading.written for reading in readings if reading.written is not None])
    drafts = [reading.draft for reading in readings if reading.draft is not None]
    policies = None
    if not any(problem.severity == "error" for problem in problems):
        policies = build(drafts)
        for reading, policy in zip(readings, policies.policies, strict=True):
            problems += _trial_problems(reading, run_tests(policy))
        warnings = [problem for problem in problems if problem.severity == "warning"]
        policies = replace(policies, warnings=tuple(warnings))
    if now is not None:
        written = [(reading.written, reading.source.changed) for reading in readings]
        problems += [p for file, changed in written if file for p in overdue(file, changed, now)]
    return policies, problems


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
            yield reading.page.report("P060", place, rule=result.rule, problem=result.differences)
    shown = {result.rule for result in results if result.acted or not result.passed}
    for index, rule in enumerate(file.rules):
        if file.mode_of(rule) == "enforce" and rule.id not in shown:
            yield reading.page.report("P030", reading.place("rules", index, "id"), rule=rule.id)


# --- one file -------------------------------------------------------------------------------------------


def _decode(data: bytes) -> str:
    return data.decode("utf-8-sig")


#: A file is read once to learn which lists it names, once with them, and again by who compares it with
#: what is in force: the tree is the same, whatever its file is called.
_tree = functools.lru_cache(maxsize=8)(functools.partial(compose, ""))


def _composed(name: str, text: str) -> Document:
    read = _tree(text)
    return Document(Page(name, text), read.root, [replace(problem, file=name) for problem in read.problems])


def _list_files(name: str, data: bytes) -> list[str]:
    """The list files that a policy names, as far as it can be read; never one that leads elsewhere."""
    if b"file" not in data or len(data) > LARGEST:
        return []
    try:
        root = _composed(name, _decode(data)).root
    except UnicodeDecodeError:
        return []
    lists = root.child("lists") if root else None
    files = [node.child("file") for node in entries(lists).values()]
    return [str(f.value) for f in files if f is not None and isinstance(f.value, str) and is_beside(f.value)]


class _Reading:
    """One file, read as far as it goes."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.problems: list[Diagnostic] = []
        self.draft: Draft | None = None
        self.written: Written | None = None
        document = self._document()
        self.page: Page = document.page
        self.root: Node | None = document.root
        self.problems += document.problems
        if self.root is not None:
            self._check(self.root)

    def place(self, *steps: str | int) -> Place:
        """Where the value at the end of `steps` stands, or the nearest thing above it."""
        return self.root.at(*steps) if self.root else Place(1, 1)

    def report(self, key: str, place: Place, /, **values: Any) -> None:
        """Add a diagnostic."""
        self.problems.append(self.page.report(key, place, **values))

    def _document(self) -> Document:
        data, name = self.source.data, self.source.name
        if len(data) > LARGEST:
            page = Page(name, "")
            return Document(page, None, [page.report("P008.large", Place(1, 1), limit=LARGEST >> 20)])
        try:
            return _composed(name, _decode(data))
        except UnicodeDecodeError as error:
            page = Page(name, data.decode("utf-8", "replace"))
            before = data[: error.start].decode("utf-8", "replace")
            place = Place(before.count("\n") + 1, len(before) - before.rfind("\n"))
            return Document(page, None, [page.report("P008.encoding", place)])

    def _check(self, root: Node) -> None:
        model, found = decode(self.page, root)
        self._add(found)
        lists = self._lists(root)
        self._add(check_names(self.page, root))
        self._patterns(root)
        if model is not None and not any(problem.severity == "error" for problem in self.problems):
            self.written = Written(self.page, root, model)
            self.problems += lint(self.written)
            self.draft = self._draft(model, lists)

    def _add(self, found: Iterable[Diagnostic]) -> None:
        """Add what was found where nothing was said before: one mistake is said once."""
        said = {problem.place[:2] for problem in self.problems}
        self.problems += [problem for problem in found if problem.place[:2] not in said]

    def _draft(self, model: lang.PolicyFile, lists: Mapping[str, ListWords]) -> Draft:
        return Draft(
            model,
            {name: some.words for name, some in lists.items()},
            self.source.hash,
            self.source,
            self._expires(model),
            {name: some.dates for name, some in lists.items() if some.dates},
        )

    def _expires(self, model: lang.PolicyFile) -> dict[str, datetime.datetime | None]:
        """Until when each list that can grow old may be used, of those that are looked for in earnest."""
        enforced = [rule for rule in model.rules if model.mode_of(rule) == "enforce"]
        finds = found_by(model, enforced)
        lists = [d.list for name, d in model.detectors.items() if name in finds and d.type == "words"]
        needed = {name: model.lists[name] for names in lists for name in names}
        ages = {name: some.stale_after for name, some in needed.items() if some.stale_after is not None}
        changed = {name: self.source.changed.get(needed[name].file or "") for name in ages}
        return {name: when and when + ages[name] for name, when in changed.items()}

    def _lists(self, root: Node) -> dict[str, ListWords]:
        lists = {
            name: read_list(self.page, name, node, self.source.files)
            for name, node in entries(root.child("lists")).items()
            if isinstance(node.value, dict)
        }
        self.problems += [problem for some in lists.values() for problem in some.problems]
        return lists

    # patterns

    def _patterns(self, root: Node) -> None:
        for node in entries(root.child("detectors")).values():
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
            self.report("P040", place, problem=_translated(problem), advice=_advice(problem))
            return
        if compiled.fullmatch(""):
            self.report("P041", node.place)

    def _fragment(self, node: Node, fragment: str) -> Place:
        """Where `fragment` of a pattern stands, the whole pattern if that cannot be told."""
        line = self.page.lines[node.place.line - 1]
        start = line.find(fragment, node.place.column - 1) if fragment else -1
        inside = node.place.column - 1 <= start < node.place.column - 1 + node.place.width
        return Place(node.place.line, start + 1, len(fragment)) if inside else node.place


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


# What RE2 says → the key of the same in our tables.
_RE2 = {
    "missing )": "re2.open",
    "unexpected )": "re2.closed",
    "missing ]": "re2.square",
    "no argument for repetition operator": "re2.argument",
    "bad repetition operator": "re2.operator",
    "invalid repetition size": "re2.size",
    "invalid perl operator": "re2.perl",
    "invalid escape sequence": "re2.escape",
    "invalid character class range": "re2.range",
}


def _translated(problem: str) -> Phrase | str:
    """What RE2 says, in the reader's language; the rare things as RE2 says them."""
    what, _, fragment = problem.partition(": ")
    return Phrase(_RE2[what], {"fragment": fragment}) if what in _RE2 else problem


def _advice(problem: str) -> Phrase:
    return Phrase(next((advice for said, advice in _ADVICE if said in problem), "advice.guide"))
