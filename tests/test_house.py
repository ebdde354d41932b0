"""The rules of the house, executed: walls, purity, proofs, words. A failing rule prints its remedy.

Rules of this file: it reads source files as text and as syntax trees and runs none of them. An exception
stands in one of the tables below, by name and with its reason, or does not exist.
"""

from __future__ import annotations

import ast
import functools
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from rules import obey

from bridge import config, telemetry

ROOT = Path(__file__).resolve().parents[1]

# --- the tables -----------------------------------------------------------------------------------------

# How high a module stands. It may import what stands lower, its own package, and its neighbours (no cycles).
LEVELS = {
    "bridge": 0,  # its version
    "bridge.errors": 0,
    "bridge.message": 0,
    "bridge.record": 0,
    "bridge.policy": 1,
    "bridge.ledger": 1,
    "bridge.evidence": 2,
    "bridge.flow": 1,
    "bridge.config": 1,
    "bridge.words": 1,
    "bridge.proposals": 1,
    "bridge.sealing": 1,
    "bridge.shares": 1,
    "bridge.search": 1,
    "bridge.typesetting": 1,
    "bridge.ports": 2,
    "bridge.buckets": 2,
    "bridge.replay": 2,
    "bridge.keepers": 3,
    "bridge.inspection": 3,
    "bridge.store": 3,
    "bridge.witnesses": 3,
    "bridge.sinks": 3,
    "bridge.pipeline": 3,
    "bridge.desk": 3,
    "bridge.people": 3,
    "bridge.records": 1,
    "bridge.daemon": 4,
    "bridge.in_force": 4,
    "bridge.assurance": 4,
    "bridge.indexer": 4,
    "bridge.notary": 4,
    "bridge.archivist": 4,
    "bridge.reading_back": 4,
    "bridge.console": 4,
    "bridge.telemetry": 4,
    "bridge.cli": 5,
}
THROUGH_PORTS = ("bridge.pipeline", "bridge.desk", "bridge.people", "bridge.records")
FOR_CONNECTORS = {"bridge", "bridge.message", "bridge.errors", "bridge.ports"}
WALL_EXCEPTIONS: dict[tuple[str, str], str] = {}  # (importer, imported): why

PURE = (
    "bridge.errors",
    "bridge.message",
    "bridge.record",
    "bridge.policy",
    "bridge.ledger",
    "bridge.evidence",
    "bridge.flow",
    "bridge.config",
    "bridge.words",
    "bridge.proposals",
    "bridge.sealing",
    "bridge.shares",
    "bridge.search",
    "bridge.typesetting",
)
# fmt: off
IMPURE_MODULES = {
    "aiohttp", "asyncio", "http", "logging", "os", "random", "secrets", "shutil", "socket",
    "sqlalchemy", "sqlite3", "structlog", "subprocess", "tempfile", "threading", "time",
    "urllib.request", "uuid",
}
# fmt: on
# fmt: off
IMPURE_CALLS = {
    "open", "now", "today", "utcnow", "read_text", "read_bytes", "write_text", "write_bytes", "unlink",
    "mkdir", "exists", "stat", "glob", "getenv", "input", "print",
}
# fmt: on
PURE_EXCEPTIONS = {  # (module, name): why
    ("bridge.evidence.verify", "open"): "a program of its own, handed out alone: it reads package and key",
    ("bridge.evidence.verify", "print"): "the same: it says what it found",
    ("bridge.config", "read_text"): "load: one of its two functions that open files",
    ("bridge.config", "open"): "_read_secret: the other",
    ("bridge.config", "stat"): "_read_secret: a secret that everybody can read is refused",
    ("bridge.policy.loader", "read_bytes"): "_file: the one place of the policy that opens files",
    ("bridge.policy.loader", "stat"): "_file: a list may be too old to be relied on",
}

CATCH_ALL = {  # module: what it does with anything at all
    "bridge.policy.judge": "a rule that crashes becomes a hold",
    "connectors.symphony.wire": "an item that cannot be read becomes an archived, held message",
    "connectors.weixin.wire": "an item that cannot be read becomes an archived, held message",
    "bridge.cli.run": "the outermost line: says where it broke, and ends the process",
}

UNNAMED = re.compile(r"(^|_)(utils?|helpers?|managers?|common|base|misc|process)(_|$)")

TESTED_TOGETHER = {  # what is tested as one thing: beginning of its path, beginning of its tests' path
    "bridge/cli/": "tests/test_cli",
    "bridge/policy/catalogue/": "tests/policy/test_catalogue",
    "connectors/symphony/mock/": "tests/connectors/test_symphony_mock",
    "connectors/weixin/mock/": "tests/connectors/test_weixin_mock",
}
UNTESTED: dict[str, str] = {  # source file: why it has no test file of its own
    "bridge/search/document.py": "nouns without code",
    "bridge/records/transcript.py": "nouns without code; the tests of every format are made of them",
    "bridge/ports.py": "contracts without code; the connectors' contract suite runs them",
    "bridge/store/migrations/env.py": "Alembic's entry; run by every test that opens a store",
}

LONGEST = 60  # lines of a function's body, without its docstring
LONG_FUNCTIONS: dict[str, str] = {}  # module.function: why it reads better in one piece

MIGRATIONS = (
    "bridge/store/migrations/versions/"  # one script each, frozen once released, run by every store test
)

SLEEPS: dict[str, str] = {}  # test file: why it has to sleep

NOT_IN_THE_REPOSITORY = {
    r"(?<![\w.~}])/(home|root|Users|work)/\w": "a path on somebody's machine",
    r"(?<![\w/-])(\.\./)+shared\b|\bshared/(?=[a-z])": "a folder outside the repository",
    r"\b(TODO|FIXME)\b": "unfinished work",
    r"pythonhosted\.|registry\.npmjs|--index-url|--extra-index-url": "a package registry",
}
WORDS_EXCEPTIONS = {"tests/test_house.py": "names the patterns"}
# fmt: off
TEXT_FILES = {
    ".py", ".md", ".toml", ".in", ".txt", ".yaml", ".yml", ".json", ".service", ".conf", ".html",
    ".css", ".js", ".mjs", "",
}
# fmt: on


# --- reading the house ----------------------------------------------------------------------------------


@functools.cache
def repository_files() -> tuple[Path, ...]:
    """Every file that git tracks or would track."""
    answer = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return tuple(path for line in answer.stdout.splitlines() if (path := ROOT / line).is_file())


@functools.cache
def sources(*tops: str) -> tuple[Path, ...]:
    """The Python files below the named folders."""
    return tuple(
        path
        for path in repository_files()
        if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in tops
    )


@functools.cache
def written(path: Path) -> str:
    """What one file says."""
    return path.read_text(encoding="utf-8", errors="replace")


@functools.cache
def tree(path: Path) -> ast.Module:
    """The syntax tree of one file."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


@functools.cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """Every node of one file's tree."""
    return tuple(ast.walk(tree(path)))


def module_name(path: Path) -> str:
    """`bridge/store/schema.py` is `bridge.store.schema`; a package is its folder's name."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def at(path: Path, node: ast.AST | None = None) -> str:
    """Where something stands, clickable."""
    return f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}"


@functools.cache
def imports(path: Path) -> tuple[tuple[ast.stmt, str], ...]:
    """Every import of `path`, as (node, module); names that are modules themselves count as modules."""
    return tuple(_imports(path))


def _imports(path: Path) -> Iterator[tuple[ast.stmt, str]]:
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = _absolute(path, node)
            for alias in node.names:
                whole = f"{origin}.{alias.name}"
                yield node, whole if _is_module(whole) else origin


def _absolute(path: Path, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    package = module_name(path).split(".") if path.stem == "__init__" else module_name(path).split(".")[:-1]
    package = package[: len(package) - node.level + 1]
    return ".".join([*package, node.module] if node.module else package)


@functools.cache
def _is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or (
        path.is_dir() and name.split(".")[0] in ("bridge", "connectors")
    )


def room(module: str) -> str:
    """The part of the house a module belongs to: `bridge.store.schema` to `bridge.store`."""
    return ".".join(module.split(".")[:2])


@functools.cache
def functions(path: Path) -> tuple[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef], ...]:
    """Every function of a file with its dotted name, methods and inner ones included."""

    def walk(node: ast.AST, prefix: str) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{prefix}.{child.name}", child
                yield from walk(child, f"{prefix}.{child.name}")
            elif isinstance(child, ast.ClassDef):
                yield from walk(child, f"{prefix}.{child.name}")
            elif not isinstance(child, ast.expr):
                yield from walk(child, prefix)

    return tuple(walk(tree(path), module_name(path)))


# --- walls ----------------------------------------------------------------------------------------------


def test_imports_go_downwards() -> None:
    """A module imports what stands lower in the house, its own room, and neighbours of its level."""

    def broken() -> Iterator[str]:
        for path in sources("bridge"):
            module = module_name(path)
            level = LEVELS.get(room(module))
            if level is None:
                yield f"{at(path)}: {room(module)} has no level: give it one in LEVELS"
                continue
            for node, imported in imports(path):
                if imported.split(".")[0] != "bridge" or (module, imported) in WALL_EXCEPTIONS:
                    continue
                if LEVELS.get(room(imported), 99) > level:
                    yield (
                        f"{at(path, node)}: imports {imported} from above: "
                        "take it as an argument, or put what both need lower"
                    )

    obey("Imports go downwards (invariant 9).", broken())


def test_the_store_is_reached_through_ports() -> None:
    """Pipeline, desk, people and records never import the concrete store."""
    obey(
        "Pipeline, desk, people and records get the store as an argument.",
        (
            f"{at(path, node)}: imports {imported}: name what you need in bridge/ports.py"
            for path in sources("bridge")
            if module_name(path).startswith(THROUGH_PORTS)
            for node, imported in imports(path)
            if room(imported) == "bridge.store"
        ),
    )


def test_the_bridge_does_not_know_its_connectors() -> None:
    """`bridge` imports `connectors` in the composition root alone (invariant 9)."""
    obey(
        "Only bridge/cli chooses connectors.",
        (
            f"{at(path, node)}: imports {imported}: take a bridge.ports.Connector as an argument"
            for path in sources("bridge")
            if room(module_name(path)) != "bridge.cli"
            for node, imported in imports(path)
            if imported.split(".")[0] == "connectors"
        ),
    )


def test_connectors_know_the_contract_and_nothing_else() -> None:
    """A connector imports nouns, errors, ports and its own package: never another connector (invariant 9)."""

    def broken() -> Iterator[str]:
        for path in sources("connectors"):
            own = room(module_name(path))
            for node, imported in imports(path):
                if imported.split(".")[0] == "bridge" and imported not in FOR_CONNECTORS:
                    yield f"{at(path, node)}: imports {imported}: the contract is in bridge.ports"
                if imported.startswith("connectors.") and room(imported) != own and own != "connectors":
                    yield f"{at(path, node)}: imports {imported}: connectors do not know each other"

    obey("A connector can be taken out without the others noticing.", broken())


def test_mocks_are_independent_readings() -> None:
    """A mock imports neither `bridge` nor its connector's wire or client: it would share their mistakes."""

    def broken() -> Iterator[str]:
        for path in sources("connectors"):
            if ".mock" not in f".{module_name(path)}":
                continue
            for node, imported in imports(path):
                if imported.split(".")[0] == "bridge" or re.search(r"\.(wire|client|kf)\b", imported):
                    yield f"{at(path, node)}: imports {imported}: read the vendor's contract again instead"

    obey("A mock that imports what it is to test proves nothing.", broken())


def test_no_import_cycles() -> None:
    """No module needs, by way of others, itself."""
    graph: dict[str, set[str]] = {}
    for path in sources("bridge", "connectors"):
        typing_only = {
            id(inner) for node in nodes(path) if _is_type_checking(node) for inner in ast.walk(node)
        }
        graph[module_name(path)] = {
            imported for node, imported in imports(path) if id(node) not in typing_only
        }
    obey(
        "Modules form no circle: put what both need lower.",
        (" -> ".join(circle) for circle in _circles(graph)),
    )


def _is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _circles(graph: dict[str, set[str]]) -> Iterator[list[str]]:
    """Every circle that a depth-first walk meets, as a path that ends where it began."""
    done: set[str] = set()

    def walk(module: str, path: list[str]) -> Iterator[list[str]]:
        if module in path:
            yield [*path[path.index(module) :], module]
        elif module in graph and module not in done:
            for following in sorted(graph[module] - {module}):
                yield from walk(following, [*path, module])
            done.add(module)

    for module in sorted(graph):
        yield from walk(module, [])


# --- purity and proofs ----------------------------------------------------------------------------------


def test_pure_rooms_touch_nothing() -> None:
    """Level 0 and 1 open no file or socket, read no clock and roll no dice: `now` is an argument."""

    def broken() -> Iterator[str]:
        for path in sources("bridge"):
            module = module_name(path)
            if not any(module == pure or module.startswith(pure + ".") for pure in PURE):
                continue
            for node, imported in imports(path):
                if imported in IMPURE_MODULES or imported.split(".")[0] in IMPURE_MODULES - {"http"}:
                    yield f"{at(path, node)}: imports {imported}: take what it gives as an argument"
            for node in nodes(path):
                name = _called(node)
                if name in IMPURE_CALLS and (module, name) not in PURE_EXCEPTIONS:
                    yield f"{at(path, node)}: calls {name}(): take its answer as an argument"

    obey("Logic is pure and apart from I/O.", broken())


def _called(node: ast.AST) -> str:
    """The last name of what is called: `a.b.c()` is c; "" when the node is no call."""
    if not isinstance(node, ast.Call):
        return ""
    return getattr(node.func, "attr", getattr(node.func, "id", ""))


def test_only_the_store_makes_proofs() -> None:
    """`Archived` and `Permit` say that something was committed: only who commits makes them (invariant 1)."""
    obey(
        "Only bridge/store constructs Archived and Permit.",
        (
            f"{at(path, node)}: constructs {_called(node)}: ask the store for one"
            for path in sources("bridge", "connectors")
            if room(module_name(path)) != "bridge.store"
            for node in nodes(path)
            if _called(node) in ("Archived", "Permit")
        ),
    )


def test_the_seal_stays_in_the_store() -> None:
    """Nobody outside the store and the nouns themselves names the seal of the proofs."""
    obey(
        "The seal is not for borrowing.",
        (
            f"{at(path, node)}: names _SEAL: ask the store for a proof"
            for path in sources("bridge", "connectors")
            if room(module_name(path)) not in ("bridge.store", "bridge.message")
            for node in nodes(path)
            if getattr(node, "id", getattr(node, "attr", getattr(node, "name", ""))) == "_SEAL"
        ),
    )


def test_nothing_swallows_bugs() -> None:
    """`except Exception` stands in three kinds of places, each named with its reason."""
    obey(
        "Catch the error you expect; anything else is a bug and ends the process.",
        (
            f"{at(path, node)}: catches everything: name the error"
            for path in sources("bridge", "connectors")
            if module_name(path) not in CATCH_ALL
            for node in nodes(path)
            if isinstance(node, ast.ExceptHandler) and _catches_all(node) and not _raises_again(node)
        ),
    )


def _catches_all(handler: ast.ExceptHandler) -> bool:
    named = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(name is None or getattr(name, "id", "") in ("Exception", "BaseException") for name in named)


def _raises_again(handler: ast.ExceptHandler) -> bool:
    """Whether the handler ends in a bare `raise`: it looks on, and stops nothing."""
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def test_log_lines_keep_the_vocabulary() -> None:
    """Every log line in the source is a `noun:verb` with whitelisted keys, before it is ever written."""

    def broken() -> Iterator[str]:
        for path in sources("bridge", "connectors"):
            for node in nodes(path):
                if not _is_log_line(node):
                    continue
                if not telemetry.EVENT.fullmatch(node.args[0].value):
                    yield f"{at(path, node)}: {node.args[0].value!r} is no noun:verb"
                for key in node.keywords:
                    if key.arg not in telemetry.KEYS:
                        yield f"{at(path, node)}: key {key.arg} is not in telemetry.KEYS"

    obey("Log lines carry ids, digests and counts; no text, names or secrets (invariant 6).", broken())


def _is_log_line(node: ast.AST) -> bool:
    """A call like `log().info("...")`, `self.log.warning("...")`."""
    if _called(node) not in ("debug", "info", "warning", "error", "exception", "critical") or not node.args:
        return False
    first = node.args[0]
    owner = ast.unparse(node.func.value) if isinstance(node.func, ast.Attribute) else ""
    return isinstance(first, ast.Constant) and isinstance(first.value, str) and "log" in owner.lower()


def test_every_setting_is_read() -> None:
    """No setting is offered that nobody looks at: what it promises would silently not happen."""
    read = {
        found
        for path in sources("bridge")
        if module_name(path) != "bridge.config"
        for found in re.findall(r"\b(\w+)(?=\.(\w+))", path.read_text(encoding="utf-8"))
    }
    obey(
        "A setting that nobody reads is removed.",
        (
            f"bridge/config.py: {section}.{row.name}: read it (as {section}.{row.name}), or take it out"
            for section, row in config.rows()
            if not {(section, row.name), ("part", row.name)} & read
        ),
    )


# --- shape ----------------------------------------------------------------------------------------------


def test_the_linter_finds_nothing() -> None:
    """Every Python file is clean by the rules in pyproject.toml."""
    ruff = [
        sys.executable,
        "-m",
        "ruff",
        "check",
        "--output-format=concise",
        "--quiet",
        *map(str, _python_files()),
    ]
    answer = subprocess.run(ruff, cwd=ROOT, capture_output=True, text=True, check=False)
    obey("Files are clean: `make lint` shows how to mend them.", answer.stdout.splitlines())


def _python_files() -> tuple[Path, ...]:
    return sources("bridge", "connectors", "tests")


def test_names_say_something() -> None:
    """No file is called util, helper, manager, common, base or process."""
    obey(
        "A name says what is inside.",
        (
            f"{path.relative_to(ROOT)}: say what it does"
            for path in sources("bridge", "connectors", "tests")
            if UNNAMED.search(path.stem)
            or any(UNNAMED.search(part) for part in path.relative_to(ROOT).parts[:-1])
        ),
    )


def test_every_source_file_has_its_test_file() -> None:
    """`bridge/store/rows.py` is tested by `tests/store/test_rows.py`, or the table says by what."""
    tested = {
        _plain(path.relative_to(ROOT / "tests")) for path in sources("tests") if path.stem.startswith("test_")
    }

    def broken() -> Iterator[str]:
        for path in sources("bridge", "connectors"):
            place = path.relative_to(ROOT)
            only_names = place.stem == "__init__" and not any(functions(path))
            if str(place) in UNTESTED or only_names or _together(str(place)) or MIGRATIONS in str(place):
                continue
            name = _plain(place.relative_to("bridge") if place.parts[0] == "bridge" else place)
            if not any(test == name or test.startswith(name + "_") for test in tested):
                yield f"{place}: write tests/**/test_{place.stem}.py, or name it in UNTESTED with the reason"

    obey("Tests mirror the files they test.", broken())


def test_no_two_test_files_share_a_name() -> None:
    """pytest imports test files by their names alone: the second of two is an error, whatever it says."""
    first: dict[str, Path] = {}

    def broken() -> Iterator[str]:
        for path in sources("tests"):
            if path.stem.startswith("test_") and first.setdefault(path.stem, path) is not path:
                yield f"{path.relative_to(ROOT)}: rename it, {first[path.stem].relative_to(ROOT)} is there"

    obey("Test files have names of their own.", broken())


def _plain(path: Path) -> str:
    """A path as one word, for comparing: `store/test_rows.py` and `store/rows.py` are both `store_rows`."""
    parts = [part.removeprefix("test_") for part in path.with_suffix("").parts]
    return "_".join(part for part in parts if part != "__init__")


def _together(place: str) -> bool:
    return any(
        place.startswith(start)
        and any(str(test).startswith(str(ROOT / together)) for test in sources("tests"))
        for start, together in TESTED_TOGETHER.items()
    )


def test_tables_name_what_exists() -> None:
    """An exception for a file that is gone is removed from its table."""
    modules = {module_name(path) for path in sources("bridge", "connectors")}
    places = {str(path.relative_to(ROOT)) for path in repository_files()}
    named = [(module, module in modules) for module, _ in [*WALL_EXCEPTIONS, *PURE_EXCEPTIONS]]
    named += [
        (name, name.rpartition(".")[0].partition(".")[0] in ("bridge", "connectors"))
        for name in LONG_FUNCTIONS
    ]
    named += [(place, place in places) for place in [*SLEEPS, *WORDS_EXCEPTIONS]]
    obey(
        "Tables of exceptions are kept true.",
        (f"{name}: no longer exists" for name, exists in named if not exists),
    )


def test_public_things_say_what_they_mean() -> None:
    """Every public module, class and function has a docstring."""

    def broken() -> Iterator[str]:
        for path in sources("bridge", "connectors"):
            if path.read_text(encoding="utf-8").strip() and not ast.get_docstring(tree(path)):
                yield f"{at(path)}: the file does not say its own rules"
            for node in () if MIGRATIONS in str(path) else _public(tree(path)):
                if not ast.get_docstring(node):
                    yield f"{at(path, node)}: {node.name}: say meaning, units, errors raised"

    obey("Every public thing says what it means.", broken())


def _public(
    node: ast.Module | ast.ClassDef,
) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    """Public functions and classes of a module, and the public methods of its public classes."""
    for child in node.body:
        if isinstance(
            child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
        ) and not child.name.startswith("_"):
            if not any(
                "overload" in ast.unparse(mark) or ".setter" in ast.unparse(mark)
                for mark in child.decorator_list
            ):
                yield child
            if isinstance(child, ast.ClassDef):
                yield from _public(child)


def test_functions_are_short() -> None:
    """No function is longer than it can be seen at once, but for those that read better in one piece."""

    def broken() -> Iterator[str]:
        for path in sources("bridge", "connectors"):
            for name, node in functions(path):
                length = _length(node)
                frozen = MIGRATIONS in str(path)
                if length > LONGEST and name not in LONG_FUNCTIONS and not frozen:
                    yield f"{at(path, node)}: {name} has {length} lines: take out what has a name of its own"

    obey(f"A function has at most {LONGEST} lines.", broken())


def _length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of the body without the docstring."""
    body = node.body[1:] if ast.get_docstring(node) else node.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def test_tests_state_their_promise() -> None:
    """Every test has a docstring: the promise it keeps."""
    obey(
        "A test's docstring is the promise.",
        (
            f"{at(path, node)}: {name.rpartition('.')[2]}: say what is promised"
            for path in sources("tests")
            for name, node in functions(path)
            if node.name.startswith("test_") and path.stem.startswith("test_") and not ast.get_docstring(node)
        ),
    )


def test_tests_do_not_sleep() -> None:
    """A test waits for a condition, or moves a clock of its own; `sleep(0)` only yields."""
    obey(
        "Tests wait for what they want, not for time.",
        (
            f"{at(path, node)}: sleeps: wait for the condition, with a deadline"
            for path in sources("tests")
            if str(path.relative_to(ROOT)) not in SLEEPS
            for node in _sleeps(tree(path))
        ),
    )


def _sleeps(node: ast.AST, longest: float = 0.0) -> Iterator[ast.Call]:
    """Calls of `sleep` for longer than allowed: not at all, or 0.05 s between two looks at a condition."""
    if isinstance(node, ast.While) and not isinstance(node.test, ast.Constant):
        longest = 0.05
    if isinstance(node, ast.Call) and _called(node) == "sleep" and not _at_most(longest, node.args):
        yield node
    for child in ast.iter_child_nodes(node):
        yield from _sleeps(child, longest)


def _at_most(seconds: float, arguments: list[ast.expr]) -> bool:
    value = arguments[0].value if len(arguments) == 1 and isinstance(arguments[0], ast.Constant) else None
    return isinstance(value, int | float) and value <= seconds


@pytest.mark.parametrize(
    ("pattern", "remedy"), NOT_IN_THE_REPOSITORY.items(), ids=["paths", "shared", "unfinished", "hosts"]
)
def test_the_repository_speaks_of_the_product_alone(pattern: str, remedy: str) -> None:
    """No file names somebody's machine, a folder outside, unfinished work or a package registry."""
    sought = re.compile(pattern)

    def broken() -> Iterator[str]:
        for path in repository_files():
            if path.suffix not in TEXT_FILES or str(path.relative_to(ROOT)) in WORDS_EXCEPTIONS:
                continue
            text = written(path)
            if not sought.search(text):  # most files, in one look
                continue
            for number, line in enumerate(text.splitlines(), start=1):
                if sought.search(line):
                    yield f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"

    obey(f"Not in the repository: {remedy}.", broken())
