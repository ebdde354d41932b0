"""The tree of errors: printed where it is defined, and each error with what follows from it."""

from __future__ import annotations

import inspect

import pytest

from bridge import errors
from bridge.errors import ConfigError, NetworkError, PolicyError, Refused, SignedOut, Unreachable

CLASSES = [one for _, one in inspect.getmembers(errors, inspect.isclass) if one.__module__ == errors.__name__]


def test_the_printed_tree_is_the_tree() -> None:
    """The file's first lines show every error, below the one it is a kind of."""
    lines = {
        line.strip("│├└─ ").split()[0]: len(line) - len(line.lstrip("│├└─ "))
        for line in (errors.__doc__ or "").splitlines()
        if any(mark in line for mark in "├└") or line.strip() == "WeighbridgeError"
    }
    assert lines.keys() == {one.__name__ for one in CLASSES}
    for one in CLASSES:
        depth = len([base for base in one.__mro__ if base in CLASSES])
        assert lines[one.__name__] == 4 * depth, one.__name__


def test_whatever_we_expect_is_ours() -> None:
    """One `except` catches all that is expected, and no bug with it."""
    assert all(issubclass(one, errors.WeighbridgeError) for one in CLASSES)
    assert not any(issubclass(one, (ValueError, OSError, LookupError)) for one in CLASSES)


def test_a_configuration_shows_all_its_problems() -> None:
    """Every problem stands on a line of its own; one alone may be given as it is."""
    assert str(ConfigError(["a is missing", "b is no number"])) == "a is missing\nb is no number"
    assert ConfigError("a is missing").problems == ("a is missing",)


def test_a_policy_error_quotes_nothing() -> None:
    """Its text counts the problems; what they say stays in `problems`, for whoever may read it."""
    error = PolicyError(["line 3: `codename` is not a detector"])
    assert str(error) == "1 problem(s) in the policy"
    assert error.problems == ("line 3: `codename` is not a detector",)


def test_unreachable_says_whether_anything_was_sent() -> None:
    """Nobody can forget to say it: without `certain` there is no such error."""
    with pytest.raises(TypeError):
        Unreachable("timed out")  # type: ignore[call-arg]
    error = Unreachable("timed out", certain=False, retry_after=2.5)
    assert (str(error), error.certain, error.retry_after) == ("timed out", False, 2.5)
    assert Unreachable("no route", certain=True).retry_after is None


def test_refused_says_what_went_out_before() -> None:
    """A refusal names its reason by a short word, and the parts that were sent before it."""
    error = Refused("quota", "five messages", until_inbound=True, sent=["m1", "m2"])
    assert (str(error), error.code, error.until_inbound) == ("five messages", "quota", True)
    assert error.sent == ("m1", "m2")
    assert Refused("too-large", "no").sent == ()
    assert not error.text_sent
    assert Refused("media", "no", sent=["m1"], text_sent=True).text_sent


def test_signed_out_says_what_to_do() -> None:
    """The remedy is part of what a person reads."""
    error = SignedOut("The key was refused.", remedy="Upload the public key.")
    assert str(error) == "The key was refused. Upload the public key."
    assert error.remedy == "Upload the public key."
    assert isinstance(error, NetworkError)
