"""Other people's engines at the policy bench's work: presidio, hyperscan, cedarpy and casbin.

Rules of this file: it runs as a script in an environment of its own (`requirements/rivals.txt`), because
they pin what the product does not; it imports nothing of the bridge. Standard input is one JSON object, the
work; standard output one JSON object a line, what was measured and decided. Each engine is used as its own
documentation shows, and gets its texts in the form that suits it.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

Row = dict[str, Any]


def timed(work: Callable[[Any], Any], items: Sequence[Any]) -> tuple[float, list[Any]]:
    """Microseconds of processor time for one item, and the answers."""
    for item in items[:20]:
        work(item)
    started = time.process_time()
    answers = [work(item) for item in items]
    return (time.process_time() - started) / len(items) * 1e6, answers


def content(engine: str, entries: int, us: float, built: float, hits: Sequence[bool], package: str) -> Row:
    """One line about an engine that looked through texts."""
    found = [number for number, hit in enumerate(hits) if hit]
    version = importlib.metadata.version(package)
    return {
        "kind": "content", "engine": engine, "version": version, "entries": entries, "us": us,
        "messages": len(hits), "build_s": built, "found": found,
    }  # fmt: skip


# --- texts ----------------------------------------------------------------------------------------------


def hyperscan(work: Row) -> Iterator[Row]:
    """One database of all words and patterns, scanned as bytes: the floor under any engine in Python."""
    import hyperscan as hs

    sought = [(_literal(word), hs.HS_FLAG_CASELESS | hs.HS_FLAG_UTF8) for word in work["words"]]
    sought += [(text.encode(), hs.HS_FLAG_CASELESS | hs.HS_FLAG_UTF8) for text in work["patterns"]]
    started = time.process_time()
    database = hs.Database()
    database.compile(
        expressions=[expression for expression, _ in sought],
        ids=list(range(len(sought))),
        flags=[flags for _, flags in sought],
    )
    built = time.process_time() - started
    found: list[int] = []

    def seen(number: int, *_: object) -> None:
        found.append(number)

    def scan(text: str) -> bool:
        found.clear()
        database.scan(text.encode(), match_event_handler=seen)
        return bool(found)

    us, hits = timed(scan, work["messages"])
    yield content("hyperscan", len(sought), us, built, hits, "hyperscan")


def _literal(word: str) -> bytes:
    return "".join(f"\\x{{{ord(c):x}}}" if not c.isalnum() else c for c in word).encode()


def presidio(work: Row) -> Iterator[Row]:
    """Its analyzer with pattern recognisers alone: a deny list for words, patterns as patterns, no model."""
    from presidio_analyzer import Pattern, PatternRecognizer, RecognizerRegistry

    started = time.process_time()
    words = PatternRecognizer("WORD", deny_list=work["words"])
    patterns = [
        PatternRecognizer(f"REF{number}", patterns=[Pattern("ref", text, 0.9)])
        for number, text in enumerate(work["patterns"])
    ]
    registry = RecognizerRegistry(recognizers=[words, *patterns])
    built = time.process_time() - started

    def analyze(text: str) -> bool:
        return sum(len(one.analyze(text, one.supported_entities, None)) for one in registry.recognizers) > 0

    few = work["messages"][: work["few"]]
    us, hits = timed(analyze, few)
    entries = len(work["words"]) + len(work["patterns"])
    yield content("presidio-analyzer", entries, us, built, hits, "presidio-analyzer")


# --- attributes -----------------------------------------------------------------------------------------


def cedar(work: Row) -> Iterator[Row]:
    """Rules as `forbid` policies over the context, parsed once."""
    import cedarpy

    text = "permit(principal, action, resource);\n" + "\n".join(map(_forbid, work["walls"]))
    policies, entities = cedarpy.PolicySet.from_str(text), cedarpy.Entities.from_json_str("[]")

    def decide(request: Row) -> bool:
        asked = {"principal": 'User::"a"', "action": 'Action::"send"', "resource": 'Chat::"c"'}
        answer = cedarpy.is_authorized({**asked, "context": request}, policies, entities)
        return not answer.allowed

    us, stopped = timed(decide, work["requests"])
    yield attributes("cedarpy", us, stopped, "cedarpy", len(work["walls"]))


def _forbid(wall: Row) -> str:
    return (
        "forbid(principal, action, resource) when { "
        f"context.desk == {wall['desk']} && context.firm == {wall['firm']} && "
        f"(context.hour < {wall['start']} || context.hour >= {wall['end']}) && "
        f"context.size > {wall['size']} && context.edited == {str(wall['edited']).lower()} }};"
    )


MODEL = """
[request_definition]
r = sub
[policy_definition]
p = desk, firm, start, end, size, edited
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = r.sub.desk == p.desk && r.sub.firm == p.firm && (r.sub.hour < p.start || r.sub.hour >= p.end) \
&& r.sub.size > p.size && r.sub.edited == p.edited
"""


def casbin(work: Row) -> Iterator[Row]:
    """Rules as policies of an attribute model: "allowed" there means that a rule stops the message."""
    import casbin as cb
    from casbin.model import Model

    model = Model()
    model.load_model_from_text(MODEL)
    enforcer = cb.Enforcer(model)
    model.model["p"]["p"].policy = [
        [wall[key] for key in ("desk", "firm", "start", "end", "size", "edited")] for wall in work["walls"]
    ]

    class Asked:
        def __init__(self, request: Row) -> None:
            self.__dict__.update(request)

    us, stopped = timed(lambda request: enforcer.enforce(Asked(request)), work["requests"])
    yield attributes("casbin", us, stopped, "casbin", len(work["walls"]))


def attributes(engine: str, us: float, stopped: Sequence[bool], package: str, rules: int) -> Row:
    """One line about an engine that decided requests."""
    version = importlib.metadata.version(package)
    numbers = [number for number, stop in enumerate(stopped) if stop]
    return {
        "kind": "attributes", "engine": engine, "version": version, "rules": rules, "us": us,
        "requests": len(stopped), "stopped": numbers,
    }  # fmt: skip


ENGINES: dict[str, Callable[[Row], Iterator[Row]]] = {
    "hyperscan": hyperscan,
    "presidio": presidio,
    "cedarpy": cedar,
    "casbin": casbin,
}


def main() -> None:
    """Do what standard input asks for."""
    logging.disable(logging.CRITICAL)
    work = json.load(sys.stdin)
    with open(os.devnull, "w") as nothing:
        for name in work["engines"]:
            with contextlib.redirect_stdout(nothing):  # they print what nobody asked for
                rows = list(ENGINES[name](work))
            for row in rows:
                print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
