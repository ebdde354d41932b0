"""The outsider's program: a whole package holds, on a bare Python; whatever is done to one is found and
named."""

from __future__ import annotations

import base64
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from evidence_rig import (
    Files,
    case_store,
    edited,
    field_of,
    files_of,
    key_of,
    listed,
    make,
    of_kind,
    packed,
    relisted,
    signed,
    signer_of,
    verified,
)
from story import Terminal

from bridge.evidence import verify
from bridge.ledger.checkpoint import Signer


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store, a package of everything in it, and one in which things are withheld."""
    folder = tmp_path_factory.mktemp("case")
    case_store(folder)
    terminal = Terminal(folder, _Silence())  # type: ignore[arg-type]
    make(terminal)
    make(terminal, "--black-out", "message:7,address", name="partial.zip")
    return folder


class _Silence:
    """What `Terminal` asks of pytest's `capsys`, which is no fixture of a module."""

    def readouterr(self) -> tuple[str, str]:
        """Nothing was printed."""
        return "", ""


@pytest.fixture
def files(folder: Path) -> Files:
    """What is in the package of everything."""
    return files_of(folder / "case.zip")


# --- what holds -----------------------------------------------------------------------------------------


def test_a_package_holds_on_a_bare_python(folder: Path, tmp_path: Path) -> None:
    """verify.py out of the package, with no site-packages, no environment and no way to our code: exit 0."""
    (tmp_path / "verify.py").write_bytes(files_of(folder / "case.zip")["verify.py"])
    command = [
        sys.executable,
        "-I",
        "-S",
        "verify.py",
        str(folder / "case.zip"),
        "--key",
        str(key_of(folder)),
    ]
    ended = subprocess.run(command, cwd=tmp_path, env={}, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "Everything holds" in ended.stdout
    assert "ProjectZephyr" in ended.stdout


def test_a_report_that_the_firm_wrote_anew_is_called_its_own_words(folder: Path, files: Files) -> None:
    """Nothing compares reports with records: the program says so at its end, and prints what the records say;
    the README claims no more than that."""
    lies = files | {"report.html": b"<p>Nothing was ever said.</p>"}
    code, said = verified(packed(signed(lies, signer_of(folder)), folder / "lies.zip"), key_of(folder))
    assert code == 0
    assert said.rstrip().endswith(verify.NOT_CHECKED)
    assert "ProjectZephyr" in said
    for name in ("report.html", "report.pdf", "case", "query", "reason"):
        assert name in verify.NOT_CHECKED
    readme = " ".join(files["README.txt"].decode().split())
    assert "report.html and report.pdf are the firm's own words" in readme
    assert "For what verify.py prints of the records you need to trust neither the firm" in readme


def test_the_program_imports_the_standard_library_alone() -> None:
    """So that it can be read, and run, without anything else."""
    import ast

    tree = ast.parse(Path(verify.__file__).read_text(encoding="utf-8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in names} <= set(sys.stdlib_module_names)
    assert not names & {"socket", "http", "urllib", "urllib.request", "ssl"}


def test_every_version_from_three_eight_on_can_read_it() -> None:
    """Its grammar is that of Python 3.8."""
    import ast

    ast.parse(Path(verify.__file__).read_text(encoding="utf-8"), feature_version=(3, 8))


def test_it_says_what_is_withheld_and_by_whose_key_it_checked(folder: Path) -> None:
    """A package with black bars holds; without --key it warns that the key is the package's own."""
    code, out = verified(folder / "partial.zip", None)
    assert code == 0, out
    assert "fields withheld" in out
    assert "package's own key" in out
    assert "package's own key" not in verified(folder / "partial.zip", key_of(folder))[1]


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ("", "not delivered"),
        ("1 permitted, 1 parked, 1 dropped", "not delivered"),
        ("1 permitted, 1 parked x7, 1 dropped", "in part"),
        ("1 permitted, 1 parked x7, 1 retried, 1 sent x8", "delivered"),
        ("1 permitted, 1 sent x7, 1 failed", "lost later"),
        ("1 permitted, 1 sent x7, 1 failed, 1 retried, 2 permitted, 2 found x8", "delivered"),
    ],
)
def test_it_says_how_much_arrived(steps: str, said: str) -> None:
    """What arrived in part is never called undelivered, nor delivered what was lost."""
    life: list[dict[str, Any]] = [
        {"kind": "message:archived", "subject": "message/1", "facts": {"ids": ["x"]}}
    ]
    for step in filter(None, steps.split(", ")):
        permit, kind, *ids = step.split()
        life.append({"kind": f"delivery:{kind}", "subject": f"delivery/{permit}", "facts": {"ids": ids}})
    assert verify.arrival(life) == said


def test_what_cannot_be_checked_is_neither_yes_nor_no(folder: Path, tmp_path: Path) -> None:
    """No such file, or no key in the file that was named: exit 1."""
    assert verified(tmp_path / "none.zip", None)[0] == 1
    (tmp_path / "no.pub").write_text("hello\n")
    assert verified(folder / "case.zip", tmp_path / "no.pub")[0] == 1


# --- what does not ------------------------------------------------------------------------------------------


def _word(records: list[dict[str, Any]]) -> None:
    field = field_of(of_kind(records, "message:archived"), "text")
    field["piece"] = field["piece"].replace("内幕", "公开")


def _entry(records: list[dict[str, Any]]) -> None:
    record = of_kind(records, "message:judged")
    record["entry"] = record["entry"].replace('"outcome":"hold"', '"outcome":"deliver"')


def _spaced(records: list[dict[str, Any]]) -> None:
    record = of_kind(records, "message:judged")
    record["entry"] = record["entry"].replace('"at":', '"at": ', 1)


def _swap_proofs(records: list[dict[str, Any]]) -> None:
    records[0]["path"], records[1]["path"] = records[1]["path"], records[0]["path"]


def _swap_salts(records: list[dict[str, Any]]) -> None:
    text, kind = (field_of(of_kind(records, "message:archived"), name) for name in ("text", "kind"))
    text["salt"], kind["salt"] = kind["salt"], text["salt"]


def _moved_into_the_salt(records: list[dict[str, Any]]) -> None:
    raw = field_of(of_kind(records, "message:archived"), "(raw)")
    data = base64.b64decode(raw["base64"])
    raw["salt"], raw["base64"] = raw["salt"] + data[:10].hex(), base64.b64encode(data[10:]).decode()


def _another_fields_bytes(records: list[dict[str, Any]]) -> None:
    fields = of_kind(records, "message:archived")["fields"]
    text, kind = (field_of({"fields": fields}, name) for name in ("text", "kind"))
    text["name"], kind["name"] = "kind", "text"


def _field_dropped(records: list[dict[str, Any]]) -> None:
    of_kind(records, "message:archived")["fields"].pop()


def _content_dropped(records: list[dict[str, Any]]) -> None:
    of_kind(records, "message:archived")["fields"] = []


def _reordered(records: list[dict[str, Any]]) -> None:
    records.reverse()


def _twice(records: list[dict[str, Any]]) -> None:
    records.insert(1, dict(records[0]))


def _dropped(records: list[dict[str, Any]]) -> None:
    records.remove(of_kind(records, "delivery:sent"))


def _added(records: list[dict[str, Any]]) -> None:
    last = records[-1]
    entry = json.loads(last["entry"])
    entry |= {"seq": entry["seq"] + 1, "kind": "message:recalled", "subject": "message/1"}
    text = json.dumps(entry, sort_keys=True, separators=(",", ":"))
    records.append({"seq": entry["seq"], "entry": text, "path": last["path"]})


def _no_record(records: list[dict[str, Any]]) -> None:
    records[3] = {"seq": "three"}


INNER: dict[str, tuple[Callable[[list[dict[str, Any]]], None], str]] = {  # what is done, what is named
    "a word of a message": (
        _word,
        r"entry 0/6 \(message:archived\): its content is not what was archived.*text",
    ),
    "a verdict": (_entry, r"entry 0/7 \(message:judged\): is not in the tree"),
    "white space in an entry": (_spaced, r"entry 0/7 \(message:judged\): is not in canonical form"),
    "proofs swapped": (_swap_proofs, r"entry 0/\d+ .*is not in the tree"),
    "salts swapped": (_swap_salts, r"entry 0/6 .*its content is not what was archived"),
    "bytes moved into a salt": (_moved_into_the_salt, r"line \d+: no record of an entry: .*not 32 bytes"),
    "names of fields swapped": (_another_fields_bytes, r"entry 0/6 .*has the bytes of another field"),
    "a field left out": (_field_dropped, r"entry 0/6 .*its content is not what was archived"),
    "all fields left out": (_content_dropped, r"entry 0/6 .*its content is not what was archived"),
    "entries in another order": (_reordered, r"entry 0/\d+ .*is out of order"),
    "an entry twice": (_twice, r"entry 0/\d+ .*is out of order, or there twice"),
    "an entry left out": (_dropped, r"message \d+: entry 0/\d+ of its life is missing"),
    "an entry made up": (_added, r"entry 0/\d+ \(message:recalled\): is not in the tree"),
    "a line of nonsense": (_no_record, r"entries/0.jsonl, line 4: no record of an entry"),
}


@pytest.mark.parametrize("attack", INNER)
def test_records_that_were_changed_are_found_even_under_the_right_signature(
    folder: Path, files: Files, tmp_path: Path, attack: str
) -> None:
    """The firm itself lies: the list of files is made anew and signed with its key. Tree and digests say
    no."""
    change, named = INNER[attack]
    forged = packed(signed(edited(files, change), signer_of(folder)), tmp_path / "forged.zip")
    code, out = verified(forged, key_of(folder))
    assert code == 5, out
    assert _finds(named, out), out


def _finds(pattern: str, out: str) -> bool:
    import re

    return re.search(pattern, out) is not None and out.startswith("DOES NOT HOLD: ")


def _withheld_replaced(records: list[dict[str, Any]]) -> None:
    for record in records:
        for number, field in enumerate(record.get("fields", ())):
            if "withheld" in field and field["name"] == "text":
                record["fields"][number] = {"name": "text", "salt": "00" * 32, "piece": '"text":"nothing"'}
                return


def test_what_is_withheld_cannot_be_replaced(folder: Path, tmp_path: Path) -> None:
    """Another text in the place of a black bar does not lead to the digest."""
    files = edited(files_of(folder / "partial.zip"), _withheld_replaced)
    code, out = verified(packed(signed(files, signer_of(folder)), tmp_path / "f.zip"), key_of(folder))
    assert code == 5
    assert _finds(r"entry 0/\d+ .*its content is not what was archived", out), out


def _message_dropped(value: dict[str, Any]) -> None:
    value["messages"] = [one for one in value["messages"] if one["number"] != 8]


def _entries_moved(value: dict[str, Any]) -> None:
    one, other = (next(m for m in value["messages"] if m["number"] == n) for n in (4, 8))
    one["entries"], other["entries"] = other["entries"], one["entries"]


def _begun_late(value: dict[str, Any]) -> None:
    value["messages"][0]["entries"] = value["messages"][0]["entries"][1:]


def _delivered_first(value: dict[str, Any]) -> None:
    value["messages"][0]["entries"].reverse()


def _other_attachment(value: dict[str, Any]) -> None:
    message = next(m for m in value["messages"] if m["files"])
    message["files"][0]["entry"] = message["entries"][0]


LISTS: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "a message left out": (_message_dropped, r"entry 0/\d+ .*belongs to no message in the list"),
    "two messages swapped": (_entries_moved, r"message 4: entry 0/\d+ is about another message"),
    "an archiving left out": (_begun_late, r"message 1: does not begin with its archiving"),
    "delivered before archived": (
        _delivered_first,
        r"message 1: .*(judged before it was|without a permit)",
    ),
    "an attachment of another entry": (
        _other_attachment,
        r"message 6: files/.* belongs to no entry of its life",
    ),
}


@pytest.mark.parametrize("attack", LISTS)
def test_a_list_that_lies_is_found_even_under_the_right_signature(
    folder: Path, files: Files, tmp_path: Path, attack: str
) -> None:
    """What the list says of messages is held against the entries."""
    change, named = LISTS[attack]
    forged = packed(signed(listed(files, change), signer_of(folder)), tmp_path / "forged.zip")
    code, out = verified(forged, key_of(folder))
    assert code == 5
    assert _finds(named, out), out


def _file(name: str, change: Callable[[bytes], bytes]) -> Callable[[Files], Files]:
    return lambda files: files | {name: change(files[name])}


def _without(name: str) -> Callable[[Files], Files]:
    return lambda files: {one: data for one, data in files.items() if one != name}


def _attachment(files: Files) -> str:
    return next(name for name in files if name.startswith("files/"))


OUTER: dict[str, tuple[Callable[[Files], Files], str]] = {  # by somebody without the key
    "the report alone": (_file("report.html", lambda data: data.replace(b"Alice", b"Alien")), "report.html"),
    "the PDF alone": (_file("report.pdf", lambda data: data + b" "), "report.pdf"),
    "an attachment": (lambda files: files | {_attachment(files): b"another"}, "files/"),
    "a file added": (
        lambda files: files | {"files/000099-1.pdf": b"new"},
        "files/000099-1.pdf: is not in",
    ),
    "a file removed": (
        _without("report.pdf"),
        "report.pdf: is in the",
    ),
    "the list": (
        _file("manifest.json", lambda data: data.replace(b"auditor@", b"nobody@")),
        "manifest.json: is not",
    ),
    "the list's signature": (
        _file("manifest.note", lambda data: data.replace(b"=\n", b"\n")),
        "manifest.note",
    ),
    "no list": (_without("manifest.json"), "manifest.json"),
}


@pytest.mark.parametrize("attack", OUTER)
def test_files_that_were_changed_are_named(folder: Path, files: Files, tmp_path: Path, attack: str) -> None:
    """The list has the digest of every file; a list that was made anew to fit does not have the signature."""
    change, named = OUTER[attack]
    changed = change(files)
    code, out = verified(packed(changed, tmp_path / "a.zip"), key_of(folder))
    assert code == 5
    assert named in out, out
    if "manifest.json" in changed:
        code, out = verified(packed(relisted(changed), tmp_path / "b.zip"), key_of(folder))
        assert code == 5
        assert "manifest." in out.split("\n", 1)[0]


def test_an_attachment_is_bound_to_the_record_and_not_to_the_list_alone(
    folder: Path, files: Files, tmp_path: Path
) -> None:
    """Another attachment under a list with the right signature: the entry's own digest of it says no."""
    forged = signed(files | {_attachment(files): b"another"}, signer_of(folder))
    code, out = verified(packed(forged, tmp_path / "f.zip"), key_of(folder))
    assert code == 5
    assert _finds(r"message 6: files/000006-1.pdf is not the attachment that was archived", out), out


def test_a_policy_is_bound_to_the_record(folder: Path, files: Files, tmp_path: Path) -> None:
    """Another policy file beside the record."""
    name = next(name for name in files if name.startswith("policies/") and name.endswith(".yaml"))
    forged = signed(files | {name: b"policy: other"}, signer_of(folder))
    code, out = verified(packed(forged, tmp_path / "f.zip"), key_of(folder))
    assert code == 5
    assert _finds(r"policies/.*is not the file that was archived", out), out


def test_checkpoints_are_the_firms_and_one_history(folder: Path, files: Files, tmp_path: Path) -> None:
    """Another key's checkpoint, an older one in the newest's place, and a history that does not go on."""
    lane = json.loads(files["manifest.json"])["lanes"][0]
    signer, newest, older = signer_of(folder), lane["checkpoint"], lane["earlier"][0]["checkpoint"]
    stranger = Signer(signer.name, bytes(32))
    size = int(newest.rpartition("/")[2].partition(".")[0])
    old = int(older.rpartition("/")[2].partition(".")[0])
    other = signer.note(0, f"weighbridge/x/0\n5\n{'A' * 43}=\n")
    forgeries = {
        "no signature of the given key": files | {newest: stranger.sign(0, size, bytes(32)).encode()},
        "is not in the tree": files | {newest: files[older]},
        "history was rewritten": files | {older: signer.sign(0, old, bytes(32)).encode()},
        "the checkpoint of another log": files | {newest: other.encode()},
    }
    for named, forged in forgeries.items():
        code, out = verified(packed(signed(forged, signer), tmp_path / "f.zip"), key_of(folder))
        assert code == 5, named
        assert named in out, out


def test_a_forger_with_his_own_key_is_told_from_the_firm(folder: Path, files: Files, tmp_path: Path) -> None:
    """Everything signed anew with another key, which is put beside it: found with the key that was handed
    over."""
    forger = Signer(signer_of(folder).name, b"\7" * 32)
    forged = signed(files | {"key.pub": f"{forger.verifier(0)}\n".encode()}, forger)
    code, out = verified(packed(forged, tmp_path / "f.zip"), key_of(folder))
    assert code == 5
    assert "no signature of the given key" in out


def test_a_zip_that_says_two_things_or_is_cut_off(folder: Path, files: Files, tmp_path: Path) -> None:
    """A member that is there twice is named; half a package is none."""
    import warnings
    import zipfile

    twice = packed(files, tmp_path / "twice.zip")
    with warnings.catch_warnings(), zipfile.ZipFile(twice, "a") as archive:
        warnings.simplefilter("ignore")
        archive.writestr("report.html", b"another")
    code, out = verified(twice, key_of(folder))
    assert code == 5
    assert "report.html: is in the package twice" in out
    half = tmp_path / "half.zip"
    half.write_bytes((folder / "case.zip").read_bytes()[:-400])
    code, out = verified(half, key_of(folder))
    assert code == 5
    assert "no whole ZIP file" in out


def test_any_flipped_byte_is_found(folder: Path, tmp_path: Path) -> None:
    """One bit, anywhere in the data of the package."""
    data = (folder / "case.zip").read_bytes()
    chance, end = random.Random(9162), data.index(b"PK\x01\x02")
    for _ in range(16):
        place = chance.randrange(end)
        broken = bytearray(data)
        broken[place] ^= 1 << chance.randrange(8)
        (tmp_path / "b.zip").write_bytes(broken)
        code, out = verified(tmp_path / "b.zip", key_of(folder))
        same = files_of_quietly(tmp_path / "b.zip") == files_of(folder / "case.zip")
        assert code in (1, 5) or same, (place, out)


def files_of_quietly(path: Path) -> Files | None:
    """What is in a package; None when that cannot be read. (A header's time may change and nothing else.)"""
    try:
        return files_of(path)
    except Exception:
        return None


# --- its arithmetic -----------------------------------------------------------------------------------------


def test_signatures_are_what_another_implementation_says() -> None:
    """Ed25519 against OpenSSL: good signatures, and those with any part changed."""
    chance = random.Random(8032)
    for _ in range(4):
        key = Ed25519PrivateKey.from_private_bytes(chance.randbytes(32))
        public, text = key.public_key().public_bytes_raw(), chance.randbytes(chance.randrange(90))
        signature = key.sign(text)
        assert verify.signed_by(public, text, signature)
        for place in (0, 31, 32, 63):
            broken = bytearray(signature)
            broken[place] ^= 1 << chance.randrange(8)
            assert verify.signed_by(public, text, bytes(broken)) == _openssl(public, text, bytes(broken))
        assert not verify.signed_by(public, text + b"x", signature)
        larger = int.from_bytes(signature[32:], "little") + verify.L
        again = signature[:32] + larger.to_bytes(32, "little")
        assert verify.signed_by(public, text, again) is False
    assert not verify.signed_by(b"\xff" * 32, b"", bytes(64))


def _openssl(public: bytes, text: bytes, signature: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, text)
    except InvalidSignature:
        return False
    return True


def test_an_inclusion_costs_one_hash_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Proofs are hashes: an entry among a million is twenty of them, wherever it stands."""
    hashed: list[bytes] = []
    monkeypatch.setattr(verify, "node_of", lambda left, right: hashed.append(left + right) or bytes(32))
    leaf, path = b"\1" * 32, [b"\2" * 32] * 20
    for number in range(0, 1 << 20, 1 << 12):
        verify.root_with(number, 1 << 20, leaf, path)
        assert len(hashed) == len(path)
        hashed.clear()


def test_the_program_is_short_enough_to_be_read() -> None:
    """Whoever relies on it reads it first."""
    assert os.path.getsize(verify.__file__) < 40_000
