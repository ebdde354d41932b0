"""What an errcode asks for: every row is looked up here; the client's tests show that it is done."""

from __future__ import annotations

import pytest

from connectors.weixin import errcodes
from connectors.weixin.errcodes import ERRCODES, Action


@pytest.mark.parametrize(
    ("action", "codes"),
    [
        (Action.AGAIN, (-1, 6000)),
        (Action.RENEW, (40001, 40014, 42001)),
        (Action.UPLOAD, (40007,)),
        (Action.TAKE_OVER, (95018,)),
        (Action.PAUSE, (45009,)),
        (Action.CROWDED, (45033,)),
        (Action.NO_TOKEN, (95007,)),
        (Action.UNTIL_INBOUND, (95001, 95002, 95013, 95032)),
        (Action.REFUSE, (40003, 40096, 81013, 40004, 40005, 40006, 40008, 40009, 40011, 45001, 45002)),
        (Action.REFUSE, (40058, 41001, 41053, 95000, 95004, 95005, 95006, 95008, 95009, 95022, 95030)),
        (Action.REFUSE, (95003, 95014, 95016, 95019)),
        (Action.SIGN_OUT, (40013, 40056, 40091, 48002, 60011, 60020, 95011, 95012, 95015, 95017, 95023)),
        (Action.SIGN_OUT, (95026, 95027, 95031)),
    ],
)
def test_every_documented_code_has_its_action(action: Action, codes: tuple[int, ...]) -> None:
    """The table says for each documented code what is done about it."""
    assert {code: errcodes.of(code).action for code in codes} == dict.fromkeys(codes, action)


def test_no_code_stands_twice() -> None:
    """The last of two equal rows would win silently."""
    assert len(ERRCODES) == len(errcodes._TABLE)
    assert all(row.code == code for code, row in ERRCODES.items())


def test_who_has_to_act_is_told_how() -> None:
    """A row that signs us out has a remedy; one that refuses has the word by which the desk knows it."""
    for row in ERRCODES.values():
        assert row.meaning
        assert bool(row.remedy) == (row.action is Action.SIGN_OUT), row
        if row.action in (Action.REFUSE, Action.UNTIL_INBOUND, Action.UPLOAD, Action.TAKE_OVER):
            assert row.word, row


def test_an_unknown_code_is_refused_and_named() -> None:
    """Nobody knows what an unlisted code means, so it is neither repeated nor swallowed."""
    row = errcodes.of(123456)
    assert (row.action, row.word, row.code) == (Action.REFUSE, "rejected", 123456)


@pytest.mark.parametrize("code", [40001, 40013, 40091, 41002, 41004, 60020, 48002, 999999])
def test_gettoken_refusals_sign_out(code: int) -> None:
    """Without a token nothing works: whatever refuses one needs a person, and says what to do."""
    row = errcodes.of_gettoken(code)
    assert row.action is Action.SIGN_OUT
    assert row.remedy


@pytest.mark.parametrize(
    ("code", "action"),
    [(-1, Action.AGAIN), (6000, Action.AGAIN), (45009, Action.PAUSE), (45033, Action.CROWDED)],
)
def test_gettoken_may_be_busy(code: int, action: Action) -> None:
    """Being busy says nothing about the secret."""
    assert errcodes.of_gettoken(code).action is action


def test_every_documented_fail_type_is_readable() -> None:
    """msg_send_fail names its reason by number; a person reads words."""
    assert set(errcodes.FAIL_TYPES) == {0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12}
