"""Old Office documents, Outlook messages, installers: told apart, their locks and macros seen."""

from __future__ import annotations

from random import Random

import pytest
from inspection_rig import FILES, compound, looked

SUBJECT = "Mail about 内幕消息".encode("utf-16-le")


@pytest.mark.parametrize(
    ("stream", "kind"),
    [("WordDocument", "doc"), ("Workbook", "xls"), ("Book", "xls"), ("PowerPoint Document", "ppt")],
)
def test_streams_tell_the_type(stream: str, kind: str) -> None:
    """The type is what is inside, whatever the name; the text is not read, and this is said."""
    found, look = looked(compound({stream: b"x"}), "note.pdf")
    assert found == kind
    assert look.unreadable == f"the text inside files of type {kind} cannot be read"


def test_a_workbook_of_another_library() -> None:
    """What xlwt writes is an old workbook, unlocked and without macros."""
    found, look = looked(FILES / "legacy.xls")
    assert (found, look.encrypted, look.macros) == ("xls", False, False)


def test_an_encrypted_package_asks_for_a_password() -> None:
    """Office keeps an encrypted docx in a compound file: it is what its name claims, and locked."""
    found, look = looked(FILES / "locked.docx")
    assert (found, look.encrypted, look.unreadable) == ("docx", True, "it asks for a password")


LOCKED = {
    "doc": {"WordDocument": bytes(10) + b"\x00\x01"},
    "xls": {"Workbook": bytes.fromhex("0908020000002f000200aaaa")},
    "ppt": {"PowerPoint Document": b"x", "Current User": bytes(12) + bytes.fromhex("dfc4d1f3")},
}


@pytest.mark.parametrize("kind", LOCKED)
def test_old_locks_are_seen(kind: str) -> None:
    """The three old formats mark a password in three ways; without the mark there is none."""
    assert looked(compound(LOCKED[kind]))[1].encrypted
    assert not looked(compound(dict.fromkeys(LOCKED[kind], b"\x01")))[1].encrypted


@pytest.mark.parametrize("storage", ["Macros", "_VBA_PROJECT_CUR"])
def test_old_macros_are_seen(storage: str) -> None:
    """Word and Excel keep their macros in storages of these names."""
    found, look = looked(compound({"WordDocument": b"x", f"{storage}/VBA/dir": b"x"}))
    assert (found, look.macros) == ("doc", True)


def test_a_mail_of_outlook_is_read() -> None:
    """Subject and body are read, and so is what is attached."""
    streams = {
        "__properties_version1.0": b"x",
        "__substg1.0_0037001F": SUBJECT,
        "__substg1.0_1000001F": "Account 8812345678".encode("utf-16-le"),
        "__attach_version1.0_#00000000/__substg1.0_37010102": "附件里的字".encode().ljust(4096),
    }
    found, look = looked(compound(streams), "mail.msg")
    assert found == "msg"
    assert all(words in look.text for words in ("内幕消息", "8812345678", "附件里的字"))


def test_an_installer_is_a_program() -> None:
    """A Windows installer is a compound file of its own class."""
    clsid = bytes.fromhex("84100c0000000000c000000000000046")
    assert looked(compound({"x": b"x"}, clsid), "note.doc")[0] == "exe"


def test_chains_that_never_end_are_left() -> None:
    """A sector that follows itself, in any place, ends the look and not the program."""
    whole = compound({"WordDocument": b"x" * 9000, "Macros/VBA/dir": b"y"})
    dice = Random(7)
    for _ in range(150):
        broken = bytearray(whole)
        for _ in range(4):
            broken[dice.randrange(8, len(broken))] = dice.choice((0, 1, 0xFF, 0xFE, dice.randrange(256)))
        looked(bytes(broken))
    assert looked(whole[:700])[0] == "unknown"
