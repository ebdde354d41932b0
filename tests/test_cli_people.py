"""`weighbridge people`: two people are paired by what the networks know of them, and unpaired for good."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from urllib.request import Request, urlopen

import pytest
from story import REVIEWER, Terminal, copy_of_the_story

from bridge.cli.output import Exit

MockProcess = Callable[..., contextlib.AbstractContextManager[dict[str, Any]]]

OFFLINE = (
    "people", "pair", "bob.li@bank.example", "wkWealth/wmNew", "--reason", "new client", "--offline",
)  # fmt: skip
TYPED = ("--advisor-id", "7002", "--stream", "room-new", "--name", "王芳", "--advisor-name", "Bob Li")


@pytest.fixture
def terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Terminal:
    """A terminal on a copy of the story."""
    copy_of_the_story(tmp_path)
    return Terminal(tmp_path, capsys)


@dataclass
class Pod:
    """A terminal with both mocks behind it and no store yet, and the contact that the platform knows."""

    terminal: Terminal
    contact: str
    url: str
    bot: str

    def remove_bridge(self, stream: str) -> None:
        """Take the bridge's account out of a room."""
        body = json.dumps({"user": self.bot, "act": "remove"}).encode()
        url = f"{self.url}/_mock/streams/{stream}/members"
        request = Request(url, body, {"content-type": "application/json"})
        urlopen(request, timeout=10).close()


@pytest.fixture
def pod(tmp_path: Path, capsys: pytest.CaptureFixture[str], mock_process: MockProcess) -> Iterator[Pod]:
    """Both networks."""
    key, secret = tmp_path / "bot.pem", tmp_path / "secret"
    secret.write_text("mock-app-secret")
    secret.chmod(0o600)
    with mock_process("symphony", "--bot-key-out", str(key)) as pod, mock_process("weixin") as wecom:
        terminal = Terminal(tmp_path, capsys)
        terminal.settings(
            f'[symphony]\npod_url = "{pod["url"]}"\nusername = "{pod["bot"]}"\n'
            f'private_key_file = "{key}"\n'
            f'[weixin]\napi_url = "{wecom["url"]}"\ncorp_id = "{wecom["corp_id"]}"\n'
            f'secret_file = "{secret}"\ntoken_file = "{secret}"\naes_key_file = "{_aes_key(tmp_path)}"\n'
        )
        (customer,) = parse_qs(urlsplit(wecom["chats"]["李雷"]).query)["customer"]
        yield Pod(terminal, f"{wecom['account']}/{customer}", pod["url"], pod["bot"])


@pytest.fixture
def online(pod: Pod) -> tuple[Terminal, str]:
    """A terminal that asks them, and the contact."""
    return pod.terminal, pod.contact


def _aes_key(folder: Path) -> Path:
    path = folder / "aes-key"
    path.write_text("a" * 43)
    path.chmod(0o600)
    return path


def listed(terminal: Terminal, *options: str) -> list[dict]:
    """The pairs, as records."""
    return terminal.type("people", "list", "--json", *options).records


def test_pair_asks_both_networks(online: tuple[Terminal, str]) -> None:
    """An e-mail address and a contact's id are enough: id, name and nickname come from the networks, a room
    is opened for the advisor, and the store is made if there is none yet."""
    terminal, contact = online
    answer = terminal.type(
        "people", "pair", "alice.wong@bank.example", contact, "--reason", "client", "--tag", "retail"
    )
    assert (answer.code, answer.err) == (Exit.DONE, "")
    assert "Pair 1: Alice Wong and 李雷 may talk" in answer.out
    (row,) = listed(terminal)
    assert row["advisor_name"] == "Alice Wong"
    assert row["advisor_address"] == "alice.wong@bank.example"
    assert row["advisor"].isdecimal()
    assert row["stream"]
    assert (row["contact"], row["contact_name"]) == (contact, "李雷")
    assert row["contact_tags"] == ["retail"]


def test_a_second_room_is_not_opened_for_a_contact(online: tuple[Terminal, str]) -> None:
    """A contact who is paired keeps his room: the answer names the stream to join, and nobody is asked."""
    terminal, contact = online
    arguments = ("people", "pair", "alice.wong@bank.example", contact, "--reason", "client")
    assert terminal.type(*arguments).code == Exit.DONE
    (row,) = listed(terminal)
    answer = terminal.type(*arguments)
    assert answer.code == Exit.NO
    assert f"--stream {row['stream']}" in answer.err


def test_people_who_parted_find_their_room_again(online: tuple[Terminal, str]) -> None:
    """The same two, paired again, go on in the room they had: Symphony takes no second of its name."""
    terminal, contact = online
    arguments = ("people", "pair", "alice.wong@bank.example", contact, "--reason", "client")
    assert terminal.type(*arguments).code == Exit.DONE
    assert terminal.type("people", "unpair", "1", "--reason", "left").code == Exit.DONE
    assert terminal.type(*arguments).code == Exit.DONE
    first, second = listed(terminal, "--ended")
    assert (first["state"], second["state"]) == ("ended", "active")
    assert first["stream"] == second["stream"]


def test_a_room_that_the_bridge_is_not_in_is_not_taken_again(pod: Pod) -> None:
    """Somebody removed the bridge from the room of two who parted: paired again they get a new one, as in the
    old one nothing would arrive. Who names it is told to add the account there."""
    terminal, arguments = pod.terminal, ("people", "pair", "alice.wong@bank.example", pod.contact)
    arguments = (*arguments, "--reason", "client")
    assert terminal.type(*arguments).code == Exit.DONE
    (first,) = listed(terminal)
    assert terminal.type("people", "unpair", "1", "--reason", "left").code == Exit.DONE
    pod.remove_bridge(first["stream"])
    refused = terminal.type(*arguments, "--stream", first["stream"])
    assert (refused.code, first["stream"] in refused.err) == (Exit.WRONG, True)
    assert terminal.type(*arguments).code == Exit.DONE
    (second,) = listed(terminal)
    assert second["stream"] not in ("", first["stream"])


def test_an_account_that_is_not_ours_is_refused(online: tuple[Terminal, str]) -> None:
    """A pair through an account that the application may not use would never carry a message."""
    terminal, contact = online
    strange = f"wkNoSuchAccount/{contact.partition('/')[2]}"
    answer = terminal.type("people", "pair", "alice.wong@bank.example", strange, "--reason", "client")
    assert (answer.code, "wkNoSuchAccount" in answer.err) == (Exit.WRONG, True)
    assert contact.partition("/")[0] in answer.err


def test_people_whom_nobody_knows_are_refused(online: tuple[Terminal, str]) -> None:
    """An address Symphony does not know and a contact Weixin does not know are said to be just that."""
    terminal, contact = online
    unknown = terminal.type("people", "pair", "nobody@bank.example", contact, "--reason", "client")
    assert (unknown.code, "nobody@bank.example" in unknown.err) == (Exit.WRONG, True)
    stranger = contact.replace("/wm", "/wmX")
    answer = terminal.type("people", "pair", "alice.wong@bank.example", stranger, "--reason", "client")
    assert answer.code == Exit.WRONG
    assert "audit search" in answer.err
    assert listed(terminal) == []


def test_pair_offline_takes_what_is_typed(terminal: Terminal) -> None:
    """Without the networks everything is typed; nothing is asked, and the act is on record."""
    answer = terminal.type(*OFFLINE, *TYPED, "--as", REVIEWER)
    assert (answer.code, answer.err) == (Exit.DONE, "")
    assert "Pair 3: Bob Li and 王芳 may talk, in stream room-new" in answer.out
    row = listed(terminal)[-1]
    assert (row["advisor"], row["advisor_address"]) == ("7002", "bob.li@bank.example")
    assert (row["person"], row["reason"]) == (REVIEWER, "new client")


def test_pair_offline_names_all_that_is_missing(terminal: Terminal) -> None:
    """Every option that is needed is named in one answer."""
    answer = terminal.type(*OFFLINE)
    assert answer.code == Exit.WRONG
    for option in ("--advisor-id", "--stream", "--name", "--advisor-name"):
        assert f"{option}: is needed with --offline" in answer.err


def test_a_chat_leads_to_one_place(terminal: Terminal) -> None:
    """A contact who is paired in one stream cannot be paired in another."""
    arguments = [*OFFLINE, *TYPED]
    arguments[3] = "wkWealth/wmLiLei"
    answer = terminal.type(*arguments)
    assert answer.code == Exit.NO
    assert "pair 1" in answer.err


@pytest.mark.parametrize("contact", ["wmLiLei", "wkWealth", "", "wkWealth/", "nonsense/wmLiLei"])
def test_a_contact_is_an_account_and_an_id(terminal: Terminal, contact: str) -> None:
    """Anything but OPEN_KFID/EXTERNAL_USERID is refused, with the form that is wanted."""
    arguments = [*OFFLINE, *TYPED]
    arguments[3] = contact
    answer = terminal.type(*arguments)
    assert answer.code == Exit.WRONG
    assert "OPEN_KFID/EXTERNAL_USERID" in answer.err


def test_the_list_is_a_table_for_people(terminal: Terminal) -> None:
    """One line a pair: who, where, since when, by whom; ended ones only when asked for."""
    answer = terminal.type("people", "list")
    head, line = answer.out.splitlines()
    assert "STATE" not in head
    assert "alice.wong@bank.example" in line
    assert "李雷" in line
    assert "Z" in line.split()[-2]  # the time is in UTC and says so
    assert [row["state"] for row in listed(terminal, "--ended")] == ["active", "ended"]


def test_unpair_ends_a_pair_once(terminal: Terminal) -> None:
    """An ended pair is no longer listed, and cannot be ended again."""
    answer = terminal.type("people", "unpair", "1", "--reason", "moved away")
    assert (answer.code, answer.err) == (Exit.DONE, "")
    assert listed(terminal) == []
    assert terminal.type("people", "unpair", "1", "--reason", "again").code == Exit.NO
    nobody = terminal.type("people", "list")
    assert (nobody.out, "people pair" in nobody.err) == ("", True)
