"""Other people's logs and searches at the work of the audit and search benches: pymerkle and tantivy.

Rules of this file: it runs as a script in an environment of its own (`requirements/rivals.txt`) and imports
nothing of the bridge. Standard input is one JSON object, the work; standard output one JSON object a line,
what was measured and found. Large things are files that the work names. Each is used as its own
documentation shows.
"""

from __future__ import annotations

import importlib.metadata
import json
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

Row = dict[str, Any]


# --- pymerkle -------------------------------------------------------------------------------------------


def appends(work: Row) -> Iterator[Row]:
    """A tree in SQLite: entry by entry, as messages come, and many at once."""
    from pymerkle import SqliteTree

    rows = [bytes(work["bytes"] - 8) + number.to_bytes(8, "big") for number in range(work["messages"])]
    with SqliteTree(str(Path(work["folder"], "one.db"))) as tree:
        yield {"system": "pymerkle append_entry", **_appended(rows, tree.append_entry)}
    with SqliteTree(str(Path(work["folder"], "many.db"))) as tree:
        together = [rows[start : start + 64] for start in range(0, len(rows), 64)]
        answer = _appended(together, tree.append_entries)
    for name in ("per_second", "cpu_us"):
        answer[name] *= len(rows) / len(together) if name == "per_second" else len(together) / len(rows)
    yield {"system": "pymerkle append_entries, 64", **answer, "messages": len(rows)}


def _appended(rows: Sequence[Any], append: Callable[[Any], object]) -> Row:
    waits = []
    began, busy = time.perf_counter(), time.process_time()
    for row in rows:
        start = time.perf_counter()
        append(row)
        waits.append(time.perf_counter() - start)
    seconds, cpu = time.perf_counter() - began, time.process_time() - busy
    waits.sort()
    return {
        "producers": 1, "messages": len(rows), "seconds": seconds, "per_second": len(rows) / seconds,
        "p50_ms": waits[len(rows) // 2] * 1e3, "p99_ms": waits[len(rows) * 99 // 100] * 1e3,
        "cpu_us": cpu / len(rows) * 1e6,
    }  # fmt: skip


def verify(work: Row) -> Iterator[Row]:
    """The tree over entries of a ledger: built again in memory, its root, proofs; and proofs from SQLite."""
    from pymerkle import InmemoryTree, SqliteTree

    with sqlite3.connect(work["ledger"]) as db:
        entries = [entry for (entry,) in db.execute("SELECT entry FROM ledger WHERE lane = 0 ORDER BY seq")]
    began, busy = time.perf_counter(), time.process_time()
    tree = InmemoryTree()
    for entry in entries:
        tree.append_entry(entry)
    root = tree.get_state()
    row = {"seconds": time.perf_counter() - began, "cpu_s": time.process_time() - busy}
    yield {"system": "pymerkle in memory", "root": root.hex(), "entries": len(entries), **row}
    yield {"system": "pymerkle in memory", **_proofs(tree, len(entries), work["places"])}
    with SqliteTree(str(Path(work["folder"], "tree.db"))) as tree:
        tree.append_entries(entries)
        places = work["places"][: work["few"]]
        yield {"system": "pymerkle SqliteTree", **_proofs(tree, len(entries), places)}


def _proofs(tree: Any, size: int, places: Sequence[int]) -> Row:
    waits = []
    for place in places:
        began = time.perf_counter()
        tree.prove_inclusion(place + 1, size)
        waits.append(time.perf_counter() - began)
    return {"first_ms": waits[0] * 1e3, "p50_ms": sorted(waits)[len(waits) // 2] * 1e3, "proofs": len(waits)}


# --- tantivy --------------------------------------------------------------------------------------------


def search(work: Row) -> Iterator[Row]:
    """An index of words in `documents` (a line each: number, …, words, text), with the text stored in it."""
    import tantivy

    builder = tantivy.SchemaBuilder()
    builder.add_unsigned_field("number", stored=True, indexed=True, fast=True)
    builder.add_text_field("words", stored=False, tokenizer_name="whitespace", index_option="basic")
    builder.add_text_field("text", stored=True, tokenizer_name="raw", index_option="basic")
    schema = builder.build()
    folder = Path(work["folder"], "tantivy")
    folder.mkdir()
    index = tantivy.Index(schema, path=str(folder))
    began, busy = time.perf_counter(), time.process_time()
    count = _write(index, Path(work["documents"]))
    row = {"seconds": time.perf_counter() - began, "cpu_s": time.process_time() - busy, "messages": count}
    size = sum(path.stat().st_size for path in folder.iterdir())
    version = importlib.metadata.version("tantivy")
    yield {"kind": "built", "engine": "tantivy", "version": version, "bytes": size, **row}
    index.reload()
    searcher = index.searcher()
    for _ in range(work["rounds"]):
        for number, asked in enumerate(work["questions"]):
            query = _query(schema, asked)
            began, busy = time.perf_counter(), time.thread_time()
            found = _found(searcher, query, asked)
            waited, used = (time.perf_counter() - began) * 1e3, (time.thread_time() - busy) * 1e3
            yield {"kind": "asked", "question": number, "ms": waited, "cpu_ms": used, "found": found}


def _write(index: Any, documents: Path) -> int:
    import tantivy

    writer = index.writer(heap_size=256_000_000, num_threads=1)
    count = 0
    with documents.open(encoding="utf-8") as lines:
        for line in lines:
            number, *_, words, text = line.rstrip("\n").split("\t")
            document = tantivy.Document()
            document.add_unsigned("number", int(number))
            document.add_text("words", words)
            document.add_text("text", text)
            writer.add_document(document)
            count += 1
    writer.commit()
    writer.wait_merging_threads()
    return count


def _query(schema: Any, asked: Row) -> Any:
    from tantivy import FieldType, Occur, Query

    first, last = asked["range"]
    parts = [Query.term_query(schema, "words", word) for word in asked["words"]]
    parts.append(Query.range_query(schema, "number", FieldType.Unsigned, first, last))
    return Query.boolean_query([(Occur.Must, part) for part in parts])


def _found(searcher: Any, query: Any, asked: Row) -> list[int]:
    """The newest matches whose text passes, more of them until there are enough."""
    most = asked["limit"]
    limit = most if not asked["within"] else most * 2
    while True:
        hits = searcher.search(query, limit, order_by_field="number", count=False).hits
        found = []
        for _, address in hits:
            document = searcher.doc(address)
            text = document.get_first("text")
            if asked["within"] in text:
                found.append(document.get_first("number"))
        if len(found) >= most or len(hits) < limit:
            return found[:most]
        limit *= 4


WORKS: dict[str, Callable[[Row], Iterator[Row]]] = {"appends": appends, "verify": verify, "search": search}


def main() -> None:
    """Do what standard input asks for."""
    work = json.load(sys.stdin)
    for row in WORKS[work["work"]](work):
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
