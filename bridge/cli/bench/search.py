"""The search bench: the newest fifty of many messages, in ours and in indexes over plain text, side by side.

Rules of this file: everybody searches the same messages by the same words (`tokens_of`) and hands over the
texts that were found; ours are sealed, opened, and tried once more before they count. The truth is found by
looking at every text. Ours has to find all of it and nothing else, or there is no figure; of the others the
recall is told.

    kinds      what is asked for: words of both languages, frequent and rare, phrases, senders
    windows    30 days somewhere in the archive, and all of it
    engines    `_Ours`, `_Fts5` (plain text, unicode61), `_Tsvector` and `_Trigrams` on PostgreSQL;
               tantivy in a process of its own
"""

from __future__ import annotations

import contextlib
import random
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

from bridge.cli.bench import corpus
from bridge.cli.bench.audit import rival
from bridge.cli.bench.postgres import Server, server
from bridge.cli.bench.traffic import BenchFailed

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from bridge.ports import KeyKeeper
    from bridge.store.index import Index

Row = Mapping[str, Any]
Report = Callable[[Row], None]

OURS, ON_POSTGRESQL = "weighbridge", "weighbridge on PostgreSQL"
STORE, TEXTS = "store.db", "texts.tsv"
PAGE = 50
"""Messages that are asked for."""
DAYS = 30
PATIENCE = 20.0
"""Seconds that an engine may take for one kind of question in one window; it is asked fewer then."""
NOW = datetime.fromtimestamp((corpus.START + corpus.YEAR) / 1000, UTC)
SIZES = (10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000, 10_000_000)
"""Sizes at which a growing archive is looked at."""
LAST = 20_000
"""Messages over which the rate of archiving is taken."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured: messages in the archive, questions of each kind in each window.

    `archive` is a folder in which the archive stays and is used again; None: it is made and taken away.
    """

    messages: int = 200_000
    questions: int = 20
    rounds: int = 3
    archive: Path | None = None
    rivals: Path = Path(".cache/rivals")
    folder: Path = Path("/var/tmp")


class Line(NamedTuple):
    """A message as the others get it: `words` as in the index, none with a space in it; text in spaces."""

    number: int
    at: int
    sender: str
    conversation: str
    words: str
    text: str


@dataclass(frozen=True, slots=True)
class Question:
    """One search: as a person writes it, and as an engine of words takes it. `first` and `last` are the
    numbers of the window; `within` are pieces of text that have to be there."""

    kind: str
    window: str
    written: str
    words: tuple[str, ...]
    within: tuple[str, ...] = ()
    sender: str = ""
    conversation: str = ""
    first: int = 1
    last: int = 1 << 62

    def meant(self, line: Line) -> bool:
        """Whether a message is one that is asked for."""
        return (
            self.first <= line.number <= self.last
            and all(piece in line.text for piece in self.within)
            and self.sender in ("", line.sender)
            and self.conversation in ("", line.conversation)
        )

    @property
    def exact(self) -> bool:
        """Whether words alone say it: no text has to be looked at."""
        return self.kind not in ("phrase", "chinese, four, rare")


def run(plan: Plan, report: Report) -> None:
    """Measure everything, row by row. Raises BenchFailed when our search finds other than there is."""

    def tell(row: Row) -> None:
        report({key: round(value, 3) if isinstance(value, float) else value for key, value in row.items()})

    with tempfile.TemporaryDirectory(prefix="weighbridge-bench-", dir=plan.folder) as made:
        archive = plan.archive or Path(made, "archive")
        _filled(plan, archive, tell)
        with server(plan.rivals, Path(made)) as postgres, _Ours(archive, tell) as ours:
            asked = questions(plan, ours.lines())
            truth = _truth(asked, archive / TEXTS)
            with contextlib.ExitStack() as others:
                engines = [ours, *_on_server(plan, postgres, Path(made, "on-postgresql"), tell)]
                for engine in engines[1:]:
                    others.enter_context(engine)
                engines += [_Fts5(Path(made), archive / TEXTS, tell), *_on(postgres, archive / TEXTS, tell)]
                answers = _answers(engines, asked, plan.rounds)
            answers |= _tantivy(plan, Path(made), archive / TEXTS, asked, tell)
        rows = list(_compared(answers, asked, truth))
        for row in rows:
            tell(row)
        tell(summary(rows))


# --- the archive ----------------------------------------------------------------------------------------


def _filled(plan: Plan, archive: Path, tell: Report) -> None:
    """Make the archive, if it is not there."""
    if (archive / STORE).exists():
        return
    archive.mkdir(parents=True, exist_ok=True)
    began, busy = time.perf_counter(), time.process_time()
    corpus.fill(f"sqlite:///{archive / STORE}", archive / "blobs", plan.messages)
    seconds, cpu = time.perf_counter() - began, time.process_time() - busy
    tell({"kind": "filled", "engine": OURS, "messages": plan.messages, **_rate(plan.messages, seconds, cpu),
          "bytes": (archive / STORE).stat().st_size / plan.messages})  # fmt: skip


def _on_server(plan: Plan, postgres: Server | None, folder: Path, tell: Report) -> list[Any]:
    """The same archive once more, on PostgreSQL; nothing without a server."""
    if postgres is None:
        return []
    folder.mkdir()
    url, began, busy = (
        postgres.url("archive"),
        time.perf_counter(),
        time.process_time() + postgres.cpu_seconds(),
    )
    corpus.fill(url, folder / "blobs", plan.messages, keeper=_keeper(folder))
    seconds, cpu = time.perf_counter() - began, time.process_time() + postgres.cpu_seconds() - busy
    row = {"kind": "filled", "engine": ON_POSTGRESQL, "messages": plan.messages}
    tell({**row, **_rate(plan.messages, seconds, cpu)})
    ours = _Ours(folder, tell, url)
    with postgres.connect("archive") as db:
        db.execute("VACUUM ANALYZE")  # what the server does by itself after some time
    return [ours]


def _rate(count: int, seconds: float, cpu: float) -> Row:
    return {"seconds": seconds, "per_second": count / seconds, "cpu_us": cpu / count * 1e6}


def lines(texts: Path) -> Iterator[Line]:
    """The messages in a file of texts."""
    with texts.open(encoding="utf-8") as file:
        for line in file:
            number, at, *rest = line.rstrip("\n").split("\t")
            yield Line(int(number), int(at), *rest)


def plain(word: str) -> str:
    """A word of the index as an engine for words takes it: letters and digits alone."""
    name, _, value = word.partition(":")
    word = value if name == "t" else word
    return word if word.isalnum() else "".join(c if c.isalnum() else f"x{ord(c):x}" for c in word)


# --- questions ------------------------------------------------------------------------------------------


class Lines(NamedTuple):
    """What questions are made from: how many messages, times and numbers, and some lines by chance."""

    messages: int
    times: Sequence[tuple[int, int]]
    some: Sequence[Line]


def questions(plan: Plan, known: Lines) -> list[Question]:
    """`plan.questions` of each kind, each in a window of 30 days and in all time."""
    chance = random.Random(corpus.SEED + 4)
    made: list[Question] = []
    for kind, write in _KINDS.items():
        for number in range(plan.questions):
            question = write(kind, number, chance, known)
            made += [question, _within_days(question, chance, known)]
    return made


def _word(kind: str, number: int, chance: random.Random, known: Lines) -> Question:
    terms = _terms()[kind]
    word = terms[number % len(terms)]
    within = f" {word} " if kind.startswith("english") else word
    words = (word,) if len(word) < 3 or word.isascii() else tuple(map(str.__add__, word, word[1:]))
    return Question(kind, "all", word, words, (within,))


def _terms() -> Mapping[str, list[str]]:
    if not _TERMS:
        _TERMS.update(corpus.terms())
    return _TERMS


_TERMS: dict[str, list[str]] = {}


def _both(kind: str, number: int, chance: random.Random, known: Lines) -> Question:
    first, second = chance.sample(_terms()["english frequent"], 2)
    return Question(kind, "all", f"{first} {second}", (first, second), (f" {first} ", f" {second} "))


def _phrase(kind: str, number: int, chance: random.Random, known: Lines) -> Question:
    words = [word for word in chance.choice(known.some).text.split() if word.isascii()] or ["none", "such"]
    place = chance.randrange(max(1, len(words) - 2))
    pair = words[place : place + 2]
    return Question(kind, "all", f'"{" ".join(pair)}"', tuple(pair), (f" {' '.join(pair)} ",))


def _sender(kind: str, number: int, chance: random.Random, known: Lines) -> Question:
    sender, word = chance.choice(known.some).sender, chance.choice(_terms()["english frequent"])
    words = (plain(f"from:{sender}"), word)
    return Question(kind, "all", f"from:{sender} {word}", words, (f" {word} ",), sender=sender)


def _attributes(kind: str, number: int, chance: random.Random, known: Lines) -> Question:
    chat = chance.choice(known.some).conversation
    return Question(kind, "all", f'in:"{chat}"', (plain(f"in:{chat}"),), conversation=chat)


_KINDS: Mapping[str, Callable[[str, int, random.Random, Lines], Question]] = {
    "english frequent": _word,
    "english rare": _word,
    "chinese, one character": _word,
    "chinese, two, frequent": _word,
    "chinese, two, rare": _word,
    "chinese, four, rare": _word,
    "two words": _both,
    "phrase": _phrase,
    "sender and word": _sender,
    "conversation": _attributes,
}


def _within_days(question: Question, chance: random.Random, known: Lines) -> Question:
    """The same question about 30 days."""
    first_day = datetime.fromtimestamp(known.times[0][0] / 1000, UTC).date()
    days = (datetime.fromtimestamp(known.times[-1][0] / 1000, UTC).date() - first_day).days
    since = first_day + timedelta(chance.randrange(max(1, days - DAYS)))
    until = since + timedelta(DAYS)
    span = [number for at, number in known.times if _moment(since) <= at < _moment(until)]
    limits = {"first": span[0], "last": span[-1]} if span else {"first": 1, "last": 0}
    values = {**asdict(question), **limits, "window": f"{DAYS} days"}
    return Question(**values | {"written": f"{question.written} after:{since} before:{until}"})


def _moment(day: Any) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)


def _truth(asked: Sequence[Question], texts: Path) -> list[list[int]]:
    """The newest messages that each question means, by looking at every one."""
    found: list[list[int]] = [[] for _ in asked]
    for line in lines(texts):
        for numbers, question in zip(found, asked, strict=True):
            if question.meant(line):
                numbers.append(line.number)
    return [numbers[-PAGE:][::-1] for numbers in found]


# --- engines --------------------------------------------------------------------------------------------


class _Ours:
    """The product's own search, in the archive as it is on the disk."""

    def __init__(self, archive: Path, tell: Report, url: str = "") -> None:
        from bridge.store.engines import open_engine
        from bridge.store.searching import open_index

        self._archive = archive
        self.name = ON_POSTGRESQL if url else OURS
        self._engine: Engine = open_engine(url or f"sqlite:///{archive / STORE}", _keeper(archive))
        self._index: Index = open_index(self._engine)
        self._queries: dict[str, Any] = {}
        self._build(tell)
        self._db: Connection = self._engine.connect()

    def __enter__(self) -> _Ours:
        """Ready."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close everything."""
        self._index.close()
        self._db.close()
        self._engine.dispose()

    def lines(self) -> Lines:
        """What there is to ask about; everything is written down for the others meanwhile."""
        texts = self._archive / TEXTS
        if not texts.exists():
            with self._db.begin():
                _write_texts(self._db, texts)
        times: list[tuple[int, int]] = []
        some: list[Line] = []
        chance = random.Random(corpus.SEED + 5)
        for line in lines(texts):
            times.append((line.at, line.number))
            if chance.random() < 0.01 or len(some) < 10:
                some.append(line)
        return Lines(len(times), times, some)

    def _build(self, tell: Report) -> None:
        """Let the index follow to the end, and tidy up as a daemon does that has nothing else to do."""
        from bridge.store.index.following import catch_up

        with self._engine.connect() as db:
            before = _indexed(db, self._index)
            began, busy = time.perf_counter(), time.process_time()
            catch_up(self._engine, self._index, 86_400)
            while self._index.tidy(db):
                pass
            seconds, cpu = time.perf_counter() - began, time.process_time() - busy
            after = _indexed(db, self._index)
        if count := after - before:
            row = {"kind": "built", "engine": self.name, "messages": count, **_rate(count, seconds, cpu)}
            tell({**row, "bytes": self._index_bytes() / after})

    def _index_bytes(self) -> int:
        if self.name == OURS:
            return sum(path.stat().st_size for path in (self._archive / "search").iterdir())
        with self._engine.connect() as db:
            return int(db.exec_driver_sql(_INDEX_BYTES).scalar() or 0)

    def prepare(self, question: Question) -> None:
        """Read what was written: what the others are asked in has been read before, too."""
        from bridge.search.query import parse

        self._queries[question.written] = parse(question.written, NOW, UTC)

    def find(self, question: Question) -> list[int]:
        """Find, open and try."""
        from bridge.store.searching import search

        with self._db.begin():
            page = search(self._db, self._index, self._queries[question.written], PAGE)
            return [document.number for document in page.documents if document.text]


_INDEX_BYTES = """
SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relname LIKE 'search%%' AND relkind = 'r'
"""


def _keeper(archive: Path) -> KeyKeeper:
    from bridge.keepers import KeyFile

    return KeyFile(archive / "secrets" / "store-key")


def _indexed(db: Connection, index: Index) -> int:
    with db.begin():
        return max((part.last for part in index.state(db).parts), default=0)


def _write_texts(db: Connection, texts: Path) -> None:
    from bridge.search.tokens import tokens_of
    from bridge.store.documents import Reading, last_number

    reading, aside = Reading(db), texts.with_suffix(".new")
    last = last_number(db)
    with aside.open("w", encoding="utf-8") as file:
        for start in range(1, last + 1, 512):
            for one in reading.documents(range(start, min(start + 512, last + 1))):
                words = " ".join(sorted({plain(word) for word in tokens_of(one)}))
                fields = (one.number, one.at, one.sender.id, one.conversation, words, f" {one.text} ")
                file.write("\t".join(map(str, fields)) + "\n")
    aside.rename(texts)


class _Fts5:
    """FTS5 with unicode61 over the plain words, texts beside them."""

    name = "FTS5, plain text"

    def __init__(self, folder: Path, texts: Path, tell: Report) -> None:
        path = folder / "fts5.db"
        self._db = sqlite3.connect(path)
        self._db.execute("PRAGMA cache_size=-32000")
        self._db.execute("CREATE TABLE messages (number INTEGER PRIMARY KEY, text TEXT NOT NULL)")
        with self._db:
            rows = ((line.number, line.text) for line in lines(texts))
            self._db.executemany("INSERT INTO messages VALUES (?, ?)", rows)
        without = path.stat().st_size
        began, busy = time.perf_counter(), time.process_time()
        self._db.execute("CREATE VIRTUAL TABLE fts USING fts5(words, content='', tokenize='unicode61')")
        with self._db:
            rows = ((line.number, line.words) for line in lines(texts))
            count = self._db.executemany("INSERT INTO fts (rowid, words) VALUES (?, ?)", rows).rowcount
            self._db.execute("INSERT INTO fts (fts) VALUES ('optimize')")
        took = _rate(count, time.perf_counter() - began, time.process_time() - busy)
        size = path.stat().st_size - without
        tell({"kind": "built", "engine": self.name, "messages": count, **took, "bytes": size / count})

    def find(self, question: Question) -> list[int]:
        """Words by the index; where they do not say it all, the text decides."""
        query = (
            "SELECT number, text FROM fts JOIN messages ON number = fts.rowid "
            "WHERE fts MATCH ? AND fts.rowid BETWEEN ? AND ? ORDER BY fts.rowid DESC"
        )
        match = " AND ".join(f'"{word}"' for word in question.words)
        found: list[int] = []
        for number, text in self._db.execute(query, (match, question.first, question.last)):
            if question.exact or question.within[0] in text:
                found.append(number)
                if len(found) == PAGE:
                    break
        return found


class _Tsvector:
    """PostgreSQL, a `tsvector` of the words with a GIN index, texts beside them."""

    name = "PostgreSQL tsvector"
    _INDEX = "CREATE INDEX found ON messages USING gin (words)"
    _SIZE = "SELECT pg_relation_size('found') + sum(pg_column_size(words)) FROM messages"

    def __init__(self, postgres: Server, texts: Path, tell: Report) -> None:
        name = type(self).__name__.strip("_").lower()
        postgres.url(name)
        self._db = postgres.connect(name)
        self._db.prepare_threshold = None  # a plan for each question, not one for all
        began, busy = time.perf_counter(), time.process_time() + postgres.cpu_seconds()
        count = self._fill(texts)
        self._db.execute(self._INDEX)
        self._db.execute("VACUUM ANALYZE messages")
        seconds, cpu = time.perf_counter() - began, time.process_time() + postgres.cpu_seconds() - busy
        (size,) = self._db.execute(self._SIZE).fetchone()
        took = _rate(count, seconds, cpu)
        tell({"kind": "built", "engine": self.name, "messages": count, **took, "bytes": float(size) / count})

    def _fill(self, texts: Path) -> int:
        self._db.execute(
            "CREATE TABLE messages (number BIGINT PRIMARY KEY, sender TEXT, conversation TEXT, text TEXT, "
            "words TSVECTOR)"
        )
        count = 0
        with self._db.cursor().copy("COPY messages FROM STDIN") as copy:
            for line in lines(texts):
                copy.write_row((line.number, line.sender, line.conversation, line.text, self._words(line)))
                count += 1
        return count

    def _words(self, line: Line) -> str | None:
        return line.words  # letters and digits with spaces between them: read as they are, without parsing

    def find(self, question: Question) -> list[int]:
        """Words by the index, and the text where they do not say it all."""
        query = (
            "SELECT number, text FROM messages WHERE words @@ %s::tsquery AND number BETWEEN %s AND %s "
            "AND position(%s IN text) > 0 ORDER BY number DESC LIMIT 50"
        )
        within = "" if question.exact else question.within[0]
        values = (" & ".join(question.words), question.first, question.last, within)
        return [number for number, _ in self._db.execute(query, values).fetchall()]


class _Trigrams(_Tsvector):
    """PostgreSQL's `pg_trgm`: pieces of the text itself, no words."""

    name = "PostgreSQL pg_trgm"
    _INDEX = (
        "CREATE EXTENSION pg_trgm; CREATE INDEX found ON messages USING gin (text gin_trgm_ops); "
        "CREATE INDEX ON messages (sender, number); CREATE INDEX ON messages (conversation, number)"
    )
    _SIZE = "SELECT pg_indexes_size('messages')"

    def _words(self, line: Line) -> str | None:
        return None

    def find(self, question: Question) -> list[int]:
        """Every piece by LIKE."""
        where: list[str] = ["number BETWEEN %s AND %s"]
        values: list[Any] = [question.first, question.last]
        for piece in question.within:
            where.append("text LIKE %s")
            values.append(f"%{piece}%")
        for column in ("sender", "conversation"):
            if value := getattr(question, column):
                where.append(f"{column} = %s")
                values.append(value)
        query = f"SELECT number, text FROM messages WHERE {' AND '.join(where)} ORDER BY number DESC LIMIT 50"
        return [number for number, _ in self._db.execute(query, values).fetchall()]


def _on(postgres: Server | None, texts: Path, tell: Report) -> list[Any]:
    return [_Tsvector(postgres, texts, tell), _Trigrams(postgres, texts, tell)] if postgres else []


# --- asking ---------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Answers:
    """What an engine answered to each question it was asked, how long that took, and how long it kept a
    processor busy in its own process (milliseconds)."""

    found: dict[int, list[int]]
    waits: dict[int, list[float]]
    busy: dict[int, list[float]]


def _answers(engines: Sequence[Any], asked: Sequence[Question], rounds: int) -> dict[str, Answers]:
    """Everybody is asked everything, in turn."""
    answers = {engine.name: Answers({}, {}, {}) for engine in engines}
    spent: dict[tuple[str, str, str], float] = {}
    for engine in engines:
        for question in asked if isinstance(engine, _Ours) else ():
            engine.prepare(question)
    for _ in range(rounds):
        for engine in engines:
            for number, question in enumerate(asked):
                key = engine.name, question.kind, question.window
                if spent.get(key, 0.0) < PATIENCE:
                    began, busy = time.perf_counter(), time.thread_time()
                    found = engine.find(question)
                    waited = time.perf_counter() - began
                    spent[key] = spent.get(key, 0.0) + waited
                    mine = answers[engine.name]
                    mine.found[number] = found
                    mine.busy.setdefault(number, []).append((time.thread_time() - busy) * 1e3)
                    mine.waits.setdefault(number, []).append(waited * 1e3)
    return answers


def _tantivy(
    plan: Plan, folder: Path, texts: Path, asked: Sequence[Question], tell: Report
) -> dict[str, Answers]:
    """The same questions in the process of the others, where it lives; its texts are stored in its index."""
    work = {"work": "search", "documents": str(texts), "folder": str(folder), "rounds": plan.rounds}
    put = [
        {"words": one.words, "range": (one.first, min(one.last, 1 << 62)), "limit": PAGE,
         "within": "" if one.exact else one.within[0]}
        for one in asked
    ]  # fmt: skip
    answers = Answers({}, {}, {})
    for row in rival(plan.rivals, {**work, "questions": put}):
        if row["kind"] == "built":
            took = _rate(row["messages"], row["seconds"], row["cpu_s"])
            about = {
                "engine": "tantivy",
                "messages": row["messages"],
                "bytes": row["bytes"] / row["messages"],
            }
            tell({"kind": "built", **about, **took})
        else:
            answers.found[row["question"]] = row["found"]
            answers.waits.setdefault(row["question"], []).append(row["ms"])
            answers.busy.setdefault(row["question"], []).append(row["cpu_ms"])
    return {"tantivy": answers} if answers.found else {}


def _compared(
    answers: Mapping[str, Answers], asked: Sequence[Question], truth: Sequence[Sequence[int]]
) -> Iterator[dict[str, Any]]:
    """A row for each engine, kind and window. Raises BenchFailed when ours found other than the truth."""
    for engine, number in product({OURS, ON_POSTGRESQL} & answers.keys(), range(len(asked))):
        found = answers[engine].found.get(number, truth[number])
        if found != truth[number]:
            odd = sorted(set(found) ^ set(truth[number]))[:3]
            raise BenchFailed(f"{engine}: {asked[number].written!r} is wrong about messages {odd}")
    groups: dict[tuple[str, str], list[int]] = {}
    for number, question in enumerate(asked):
        groups.setdefault((question.kind, question.window), []).append(number)
    for (kind, window), numbers in groups.items():
        for engine, answer in answers.items():
            answered = [number for number in numbers if number in answer.found]
            yield {"kind": "found", "asked": kind, "window": window, "engine": engine,
                   **_quality(answer, answered, truth)}  # fmt: skip


def _quality(answer: Answers, numbers: Sequence[int], truth: Sequence[Sequence[int]]) -> dict[str, Any]:
    waits = sorted(wait for number in numbers for wait in answer.waits[number])
    busy = [one for number in numbers for one in answer.busy[number]]
    there = sum(len(truth[number]) for number in numbers)
    right = sum(len(set(truth[number]) & set(answer.found[number])) for number in numbers)
    return {
        "p50_ms": median(waits), "p99_ms": waits[min(len(waits) - 1, len(waits) * 99 // 100)],
        "cpu_p50_ms": median(busy), "recall": right / there if there else 1.0, "hits": there / len(numbers),
        "questions": len(numbers),
    }  # fmt: skip


def summary(rows: Sequence[Row]) -> dict[str, Any]:
    """Medians of the kinds' medians in each window, and ours as a multiple of each other's."""
    engines: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        engines.setdefault((row["window"], row["engine"]), []).append(row)
    compared = []
    for (window, engine), found in engines.items():
        ours = engines[window, OURS]
        ratio = [mine["p50_ms"] / other["p50_ms"] for mine, other in zip(ours, found, strict=True)]
        cpu = round(median(row["cpu_p50_ms"] for row in found), 3)
        compared.append({
            "window": window, "engine": engine, "p50_ms": round(median(row["p50_ms"] for row in found), 3),
            "p99_ms": round(max(row["p99_ms"] for row in found), 3), "ours": round(median(ratio), 2),
            "cpu_p50_ms": cpu, "recall": round(min(row["recall"] for row in found), 3),
        })  # fmt: skip
    return {"kind": "search summary", "engines": compared}


# --- a growing archive ----------------------------------------------------------------------------------


def grow(plan: Plan, report: Report) -> None:
    """An archive that grows: rates of archiving and indexing, and waits of searches, at each of `SIZES`."""
    with tempfile.TemporaryDirectory(prefix="weighbridge-bench-", dir=plan.folder) as made:
        archive = plan.archive or Path(made, "archive")
        if (archive / STORE).exists():
            raise BenchFailed(f"{archive} has an archive already: name a folder in which one can grow")
        archive.mkdir(parents=True, exist_ok=True)
        growing = _Growing(plan, archive, report)
        with contextlib.closing(growing):
            corpus.fill(f"sqlite:///{archive / STORE}", archive / "blobs", plan.messages, growing.passed)


class _Growing:
    """Looks at an archive while it grows: `passed` is told how many messages there are."""

    def __init__(self, plan: Plan, archive: Path, report: Report) -> None:
        self._plan, self._archive, self._report = plan, archive, report
        self._sizes = [size for size in SIZES if size < plan.messages] + [plan.messages]
        self._marks: list[tuple[int, float, float]] = []

    def close(self) -> None:
        """Nothing is open between two looks."""
        self._marks.clear()

    def passed(self, done: int, total: int) -> None:
        """Look, if one of the sizes is reached."""
        self._marks.append((done, time.perf_counter(), time.process_time()))
        if done >= self._sizes[0]:
            del self._sizes[0]
            self._look(done)
            self._marks.clear()

    def _look(self, done: int) -> None:
        marks = [mark for mark in self._marks if mark[0] >= done - LAST]
        (first, began, busy), (last, ended, free) = marks[0], marks[-1]
        row: dict[str, Any] = {"kind": "grown", "messages": done}
        if last > first:
            row |= {"archived_per_second": (last - first) / (ended - began),
                    "archived_cpu_us": (free - busy) / (last - first) * 1e6}  # fmt: skip
        built: list[Row] = []
        with _Ours(self._archive, built.append) as ours:
            for name in ("per_second", "cpu_us", "bytes"):
                row[f"index_{name}"] = built[0][name] if built else 0.0
            row |= self._searched(ours, done)
        self._report(
            {key: round(value, 3) if isinstance(value, float) else value for key, value in row.items()}
        )

    def _searched(self, ours: _Ours, done: int) -> dict[str, float]:
        """Waits of searches for words in the newest 30 days, and in all time."""
        newest = corpus.START + done * corpus.YEAR // self._plan.messages
        since = (datetime.fromtimestamp(newest / 1000, UTC) - timedelta(DAYS)).date()
        row: dict[str, float] = {}
        for window, more in (("recent", f" after:{since}"), ("all", "")):
            waits, busy = [], []
            for terms in _terms().values():
                for term in terms[: self._plan.questions]:
                    question = Question("word", window, term + more, ())
                    ours.prepare(question)
                    ours.find(question)
                    began, used = time.perf_counter(), time.thread_time()
                    ours.find(question)
                    waits.append((time.perf_counter() - began) * 1e3)
                    busy.append((time.thread_time() - used) * 1e3)
            waits.sort()
            row |= {f"{window}_p50_ms": median(waits), f"{window}_p99_ms": waits[len(waits) * 99 // 100]}
            row[f"{window}_cpu_p50_ms"] = median(busy)
        return row
