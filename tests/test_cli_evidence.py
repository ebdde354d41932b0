"""`weighbridge audit evidence`: what is typed, what is made and written down, and what is refused."""

from __future__ import annotations

import asyncio
import io
import json
import sqlite3
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from evidence_rig import case_store, files_of, key_of, make, verified
from pypdf import PdfReader
from sqlalchemy import and_, select
from story import (
    ALICE,
    CONTACT,
    LI_LEI,
    STREAM,
    Story,
    Terminal,
    copy_of_the_story,
    held,
    passed_text,
    ruled,
)

from bridge.cli.output import Exit
from bridge.errors import StoreError
from bridge.message import WEIXIN, Cause, Kind, Outcome
from bridge.records.exports.numbers import numbers_of
from bridge.store import exhibits, schema
from bridge.store.engines import open_engine


@pytest.fixture
def terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Terminal:
    """A terminal on a copy of the case's store."""
    case_store(tmp_path)
    return Terminal(tmp_path, capsys)


def made(terminal: Terminal) -> list[dict[str, object]]:
    """The facts of every making in the record."""
    with sqlite3.connect(terminal.folder / "weighbridge.db") as db:
        rows = db.execute("SELECT entry FROM ledger WHERE subject = 'evidence' ORDER BY seq").fetchall()
    return [json.loads(entry)["facts"] for (entry,) in rows]


def bodies(terminal: Terminal) -> list[dict[str, object]]:
    """What is sealed of every making."""
    engine = open_engine(f"sqlite:///{terminal.folder}/weighbridge.db")
    with engine.connect() as db:
        le, c = schema.ledger.c, schema.content.c
        sealed = select(c.body).join(schema.ledger, and_(le.lane == c.lane, le.seq == c.seq))
        found = db.execute(sealed.where(le.subject == "evidence").order_by(c.seq)).scalars().all()
    engine.dispose()
    return [json.loads(body) for body in found]


def left(terminal: Terminal) -> list[str]:
    """Packages and parts of packages in the folder."""
    return sorted(path.name for path in terminal.folder.iterdir() if "zip" in path.name)


def test_a_package_is_made_written_down_and_holds(terminal: Terminal) -> None:
    """--json says what was made; the record has its digest; the whole store still verifies."""
    out = str(terminal.folder / "case.zip")
    typed = (
        "audit",
        "evidence",
        "--message",
        "1,8",
        "--out",
        out,
        "--reason",
        "asked",
        "--case",
        "17",
        "--json",
    )
    answer = terminal.type(*typed)
    assert answer.code == Exit.DONE, answer.err
    (said,) = answer.records
    assert (said["messages"], said["asked_for"], said["package"]) == (5, 2, out)
    assert made(terminal) == [{"messages": 5, "sha256": said["sha256"]}]
    assert verified(Path(out), key_of(terminal.folder))[0] == 0
    assert terminal.type("audit", "verify").code == Exit.DONE


def test_a_query_says_which_messages(terminal: Terminal) -> None:
    """The language of `audit search`; its text is in the list, and errors have their caret."""
    out = terminal.folder / "case.zip"
    answer = terminal.type(*("audit", "evidence", "再见", "--out", str(out), "--reason", "asked"))
    assert answer.code == Exit.DONE, answer.err
    listed = json.loads(files_of(out)["manifest.json"])
    assert (listed["query"], [one["number"] for one in listed["messages"]]) == ("再见", [8])
    wrong = terminal.type("audit", "evidence", "nobody:knows", "--out", f"{out}2", "--reason", "asked")
    assert wrong.code == Exit.WRONG
    assert "^" in wrong.err


def test_a_client_is_not_told_who_looks_into_him(terminal: Terminal) -> None:
    """Neither list nor reports of a client's copy say by whom, for which case and why; the record does."""
    out = terminal.folder / "copy.zip"
    asked = (
        "--message",
        "1",
        "--case",
        "STR-9",
        "--as",
        "mlro@bank.example",
        "--reason",
        "a report was filed",
    )
    answer = terminal.type("audit", "evidence", *asked, "--client-copy", CONTACT, "--out", str(out))
    assert answer.code == Exit.DONE, answer.err
    files = files_of(out)
    paper = "".join(page.extract_text() for page in PdfReader(io.BytesIO(files["report.pdf"])).pages)
    said = b"".join(files.values()).decode("utf-8", "replace") + paper
    assert not [secret for secret in ("STR-9", "mlro@", "a report was filed") if secret in said]
    assert verified(out, key_of(terminal.folder))[0] == 0
    assert [one["case"] for one in bodies(terminal)] == ["STR-9"]


def test_a_client_is_not_told_what_was_stopped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whole lives that he did not see are not there; of his own messages nothing but that he wrote them, of
    the rest that it reached him. Neither holds nor drops, nor by what the firm knows its people. The firm's
    record has the numbers of what is left out; whoever makes the copy hears what it gives away."""
    copy_of_the_story(tmp_path)
    terminal, out = Terminal(tmp_path, capsys), tmp_path / "copy.zip"
    with sqlite3.connect(tmp_path / "weighbridge.db") as db:
        numbers = [number for (number,) in db.execute("SELECT id FROM messages ORDER BY id")]
    asked = ("--message", ",".join(map(str, numbers)), "--reason", "asked", "--out", str(out))
    answer = terminal.type("audit", "evidence", *asked, "--client-copy", CONTACT)
    assert answer.code == Exit.DONE, answer.err
    assert "he sees the numbers of his messages among all" in answer.err
    files = files_of(out)
    listed = json.loads(files["manifest.json"])
    records = [json.loads(line) for line in files["entries/0.jsonl"].splitlines()]
    entries = {f"0/{one['seq']}": json.loads(one["entry"]) for one in records}
    kinds = {one["kind"] for one in entries.values()}
    assert (
        kinds
        == {
            *("message:archived", "notice:archived", "pair:made", "file:archived", "message:judged"),
            *("delivery:permitted", "delivery:sent", "delivery:parked", "delivery:found"),
        }
        & kinds
    )
    assert "hold" not in {one["facts"].get("outcome") for one in entries.values()}
    for message in listed["messages"]:
        life = [entries[place] for place in message["entries"]]
        own = life[0]["facts"]["network"] == WEIXIN and life[0]["kind"] == "message:archived"
        arrived = [one for one in life if one["facts"].get("ids")]
        assert own == (not arrived) == (len(life) == 1), message
        assert not message["withheld"]
    here = [message["number"] for message in listed["messages"]]
    (body,) = bodies(terminal)
    assert len(here) < len(numbers)
    assert set(numbers_of(str(body["left_out"]))) == set(numbers) - set(here)
    assert f"left out: {len(numbers) - len(here)} messages" in answer.out
    assert {one["what"] for one in listed["exclusions"]} <= {"attachment"}
    said = b"".join(files.values()).decode("utf-8", "replace")
    for secret in (ALICE.address, f'"{ALICE.id}"', STREAM, "韩梅梅", "blocked outright", "not by chat"):
        assert secret not in said, secret
    assert (ALICE.name in said, LI_LEI.name in said) == (True, True)
    assert "not delivered" not in files["report.html"].decode()
    code, printed = verified(out, key_of(tmp_path))
    assert code == 0, printed
    assert ("not told" in printed, "not delivered" in printed, "in part" in printed) == (True, False, True)


def test_what_a_person_keeps_back_of_a_client_is_said(terminal: Terminal) -> None:
    """Of the messages that he wrote or saw the withheld one is in his copy, closed and listed as such; one
    that he never saw is not there, whether anybody keeps it back or not."""
    out = terminal.folder / "copy.zip"
    asked = ("--message", "1,4,6,7,8", "--reason", "asked", "--out", str(out), "--client-copy", CONTACT)
    answer = terminal.type("audit", "evidence", *asked, "--black-out", "message:8,message:7")
    assert answer.code == Exit.DONE, answer.err
    listed = json.loads(files_of(out)["manifest.json"])
    withheld = {one["number"]: one["withheld"] for one in listed["messages"]}
    assert (withheld[8], 7 in withheld, sum(withheld.values())) == (True, False, 1)
    assert [one["message"] for one in listed["exclusions"] if one["what"] == "content"] == [8]
    assert "the whole of 1 message" in answer.out
    assert "再见" not in b"".join(files_of(out).values()).decode("utf-8", "replace")
    assert verified(out, key_of(terminal.folder))[0] == 0


async def _looked_into(folder: Path) -> None:
    """Four messages that reached the client, two of them of interest to somebody in the firm, and one of
    these masked; and one more that was masked, of interest to nobody."""
    story = Story(folder)
    await story.begin()
    of_interest = {"legal_holds": ("cards/matter-3",), "tags": ("mnpi",), "archives": ("records/vault",)}
    masked = replace(ruled(Outcome.REDACT, "card ****", (5, 9)), cause=Cause.RULE)
    for text, verdict in (
        ("nothing special", passed_text("nothing special")),
        ("under a hold", replace(passed_text("under a hold"), **of_interest)),
        ("card 4111", masked),
        ("card 4112", replace(masked, **of_interest)),
    ):
        await story.archive(story.says(text))
        await story.judge(verdict)
        await story.deliver()
    await story.sign()
    story.store.close()


def test_a_client_is_not_told_what_is_looked_at(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What reached him as written is there without its verdict, whoever is interested in it; the verdict by
    which words were masked is there, unless the names of its fields say that somebody is. Then the words are
    withheld, and whoever makes the copy hears of how many."""
    asyncio.run(_looked_into(tmp_path))
    terminal, out = Terminal(tmp_path, capsys), tmp_path / "copy.zip"
    asked = ("--message", "1,2,3,4", "--reason", "asked", "--out", str(out), "--client-copy", CONTACT)
    answer = terminal.type("audit", "evidence", *asked)
    assert answer.code == Exit.DONE, answer.err
    assert "without words: 1 message, " in answer.out
    files = files_of(out)
    records = [json.loads(line) for line in files["entries/0.jsonl"].splitlines()]
    kinds: dict[str, list[str]] = {}
    for one in map(json.loads, (record["entry"] for record in records)):
        kinds.setdefault(str(one["facts"].get("message")), []).append(one["kind"])
    assert ["message:judged" in kinds[number] for number in "1234"] == [False, False, True, False]
    assert kinds["1"] == kinds["2"]
    paper = "".join(page.extract_text() for page in PdfReader(io.BytesIO(files["report.pdf"])).pages)
    said = b"".join(files.values()).decode("utf-8", "replace") + paper
    telling = ("legal_holds", "matter-3", "mnpi", '"tags"', "records/vault", "card 411")
    assert not [word for word in telling if word in said]
    assert all(word in files["report.html"].decode() for word in ("nothing special", "under a hold", "****"))
    code, printed = verified(out, key_of(tmp_path))
    assert (code, printed.count(" delivered   "), "not judged" in printed) == (0, 4, False), printed


async def _nobody_answered(folder: Path) -> None:
    """A client's words that were blocked, with a notice to him; and what his network says in his name."""
    story = Story(folder)
    await story.begin()
    await story.archive(story.answers("add my own account"))
    await story.judge(ruled(Outcome.BLOCK, "", (0, 3)), notice="Your message was not delivered.")
    await story.deliver()
    await story.archive(story.answers("entered the chat", kind=Kind.NOTE))
    await story.judge()
    await story.sign()
    story.store.close()


def test_a_client_hears_of_nobody_who_never_wrote(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody of the firm is named to him of whom he had nothing but the bridge's notice; what his network
    remarks in his name is not his."""
    asyncio.run(_nobody_answered(tmp_path))
    out = tmp_path / "copy.zip"
    asked = ("--message", "1,2,3", "--reason", "asked", "--out", str(out), "--client-copy", CONTACT)
    answer = Terminal(tmp_path, capsys).type("audit", "evidence", *asked)
    assert answer.code == Exit.DONE, answer.err
    files = files_of(out)
    assert [one["number"] for one in json.loads(files["manifest.json"])["messages"]] == [1, 2]
    said = b"".join(files.values()).decode("utf-8", "replace")
    assert ("Your message was not delivered." in said, ALICE.name in said) == (True, False)


async def _wrote_unpaired(folder: Path) -> None:
    """A client writes while nobody is paired with him; so does another one."""
    story = Story(folder)
    await story.begin()
    await story.archive(story.answers("hello"))
    await story.judge()
    await story.store.end_pair(1, "carol.ng@bank.example", "she left")
    stranger = replace(story.answers("韩梅梅 alone"), conversation="wkDesk/wmHan", sender="wmHan")
    await story.archive(story.answers("is anybody there"), stranger)
    await story.judge(held("is anybody there"), held("韩梅梅 alone"))
    await story.sign()
    story.store.close()


@pytest.mark.parametrize("option", ["--client-copy", "--only-contact"])
def test_what_a_client_wrote_while_unpaired_is_his(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    """His words to nobody are shown with those to somebody; another one's are not."""
    asyncio.run(_wrote_unpaired(tmp_path))
    out = tmp_path / "copy.zip"
    asked = ("--message", "1,2,3", "--reason", "asked", "--out", str(out), option, CONTACT)
    answer = Terminal(tmp_path, capsys).type("audit", "evidence", *asked)
    assert answer.code == Exit.DONE, answer.err
    said = b"".join(files_of(out).values()).decode("utf-8", "replace")
    assert ("is anybody there" in said, "韩梅梅 alone" in said) == (True, False)
    assert verified(out, key_of(tmp_path))[0] == 0


def test_two_clients_contradict_each_other(terminal: Terminal) -> None:
    """Neither is handed the other's thread; which copy was made for whom is on record."""
    out = terminal.folder / "copy.zip"
    typed = ("audit", "evidence", "--message", "1", "--out", str(out), "--reason", "asked")
    answer = terminal.type(*typed, "--client-copy", CONTACT, "--only-contact", "韩梅梅")
    assert (answer.code, out.exists()) == (Exit.WRONG, False)
    assert "--client-copy and --only-contact contradict each other" in answer.err
    for option in ("--client-copy", "--only-contact"):
        out.unlink(missing_ok=True)
        assert terminal.type(*typed, option, CONTACT).code == Exit.DONE
    assert [one["black_out"] for one in bodies(terminal)] == [
        [f"client-copy:{CONTACT}"],
        [f"only-contact:{CONTACT}"],
    ]


def test_a_package_rests_on_no_index(terminal: Terminal) -> None:
    """Whoever empties the search index hides no message from it."""
    terminal.hide_everything()
    assert terminal.type("audit", "reindex", "--check").code == Exit.NO
    out = terminal.folder / "case.zip"
    answer = terminal.type("audit", "evidence", "再见", "--out", str(out), "--reason", "asked")
    assert answer.code == Exit.DONE, answer.err


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        ((), Exit.WRONG, "a QUERY, or --message"),
        (("--message", "seventeen"), Exit.WRONG, "numbers of messages"),
        (("--message", "99"), Exit.NO, "no message 99"),
        (("zebra-crossing",), Exit.NO, "nothing is found"),
    ],
)
def test_what_names_no_message_makes_nothing(
    terminal: Terminal, options: tuple[str, ...], code: Exit, words: str
) -> None:
    """And leaves no file and no entry."""
    out = str(terminal.folder / "case.zip")
    answer = terminal.type("audit", "evidence", *options, "--out", out, "--reason", "asked")
    assert answer.code == code, answer.err
    assert words in answer.err
    assert left(terminal) == []
    assert made(terminal) == []


def test_nothing_is_overwritten(terminal: Terminal) -> None:
    """The second package of one name is refused, and the first one stays as it was."""
    out = make(terminal)
    before = out.read_bytes()
    typed = ("audit", "evidence", "--message", "8", "--out", str(out), "--reason", "asked")
    answer = terminal.type(*typed)
    assert answer.code == Exit.NO
    assert "there already" in answer.err
    assert (left(terminal), out.read_bytes()) == (["case.zip"], before)
    assert len(made(terminal)) == 1


def test_without_a_record_there_is_no_package(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """The making cannot be written down: nobody gets anything."""

    def fails(*_: object) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr(exhibits, "record_made", fails)
    typed = (
        "audit",
        "evidence",
        "--message",
        "8",
        "--out",
        str(terminal.folder / "case.zip"),
        "--reason",
        "asked",
    )
    answer = terminal.type(*typed)
    assert answer.code == Exit.UNREACHABLE
    assert left(terminal) == []


def test_a_package_stays_valid_whatever_becomes_of_the_store(terminal: Terminal) -> None:
    """Master key rotated, content destroyed, the store gone: the package needs none of it."""
    out = make(terminal)
    assert terminal.type("keys", "rotate", "--reason", "yearly").code == Exit.DONE
    again = make(terminal, name="again.zip")
    with sqlite3.connect(terminal.folder / "weighbridge.db") as db:
        db.execute("DELETE FROM data_keys")
    (terminal.folder / "weighbridge.db").unlink()
    for one in (out, again):
        assert verified(one, key_of(terminal.folder))[0] == 0


GONE = "no longer in the archive, and no entry of the record says why"


def test_what_is_gone_is_said_to_be_gone(terminal: Terminal) -> None:
    """The entries hold, the verifier and the list say that the words are no longer there; where no disposal
    testifies to that, the list says so."""
    with sqlite3.connect(terminal.folder / "weighbridge.db") as db:
        db.execute("DELETE FROM data_keys WHERE seq = 34")
    out = make(terminal, messages="8")
    code, printed = verified(out, key_of(terminal.folder))
    assert code == 0, printed
    assert "no longer in the archive" in printed
    listed = json.loads(files_of(out)["manifest.json"])
    assert {"message": 8, "what": "0/34", "reason": GONE} in listed["exclusions"]


def test_an_attachment_that_was_swapped_leaves_in_no_package(terminal: Terminal) -> None:
    """Its sealed file is no longer what was archived: an error that says how to find out, and no file."""
    for path in (terminal.folder / "blobs").rglob("*"):
        if path.is_file():
            path.chmod(0o600)
            path.write_bytes(b"other")
    typed = (
        "audit",
        "evidence",
        "--message",
        "6",
        "--out",
        str(terminal.folder / "case.zip"),
        "--reason",
        "asked",
    )
    answer = terminal.type(*typed)
    assert answer.code == Exit.INTEGRITY
    assert "audit verify" in answer.err
    assert left(terminal) == []


def test_the_report_speaks_the_language_that_was_asked_for(terminal: Terminal) -> None:
    """--lang; and what is typed is said in the summary."""
    with zipfile.ZipFile(make(terminal, "--lang", "zh-Hans")) as archive:
        assert "消息存档证据" in archive.read("report.html").decode()


def test_no_clean_store_is_accused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every message of a store with a bit of everything in it: edits, recalls, refusals, holds, late
    failures."""
    copy_of_the_story(tmp_path)
    with sqlite3.connect(tmp_path / "weighbridge.db") as db:
        numbers = [str(number) for (number,) in db.execute("SELECT id FROM messages ORDER BY id")]
    out = make(Terminal(tmp_path, capsys), messages=",".join(numbers))
    code, printed = verified(out, key_of(tmp_path))
    assert code == 0, printed
    assert f"{len(numbers)} messages" in printed
