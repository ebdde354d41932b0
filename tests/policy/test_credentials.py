"""Secrets: keys by how they begin, passwords by what stands before them, tokens by their disorder."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from policy_rig import found, looking_for

from bridge.policy.credentials import entropy

SECRETS = looking_for("type: secret")
TOKEN = "8fJ3kQz9Lm2Xv7Rt4Bw6Yp1N"


@pytest.mark.parametrize(
    ("text", "secrets"),
    [
        ("key AKIAIOSFODNN7EXAMPLE.", ["AKIAIOSFODNN7EXAMPLE"]),
        (f"ghp_{'a1B2' * 9}", [f"ghp_{'a1B2' * 9}"]),
        ("xoxb-1234567890-abcdef", ["xoxb-1234567890-abcdef"]),
        (
            f"eyJhbGciOiJIUzI1NiJ9.{'eyJzdWIiOiIxIn0'}.c2lnbmF0dXJl",
            ["eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"],
        ),
        ("-----BEGIN RSA PRIVATE KEY-----", ["-----BEGIN RSA PRIVATE KEY-----"]),
        ("password: hunter2", ["hunter2"]),
        ("密碼是Abc12345", ["Abc12345"]),
        ("API key = x9-y8-z7", ["x9-y8-z7"]),
        ("密码：12345678", ["12345678"]),
        ("password: letmein", ["letmein"]),
        ("the password: p@ss", ["p@ss"]),
        ("password is: hunter2", ["hunter2"]),
        ("Password is 482133.", ["482133"]),
        ("密码：“Abc12345”", ["Abc12345"]),
        ("密码Abc12345", ["Abc12345"]),
        ("my password hunter2", ["hunter2"]),
        ("pw: hunter2, thanks", ["hunter2"]),
        ("PIN: 482133", ["482133"]),
        ("Authorization: Bearer abcdef.ghijkl1", ["abcdef.ghijkl1"]),
        ("口令 = letmein", ["letmein"]),
        (f"token {TOKEN}", [TOKEN]),
        (f"see {TOKEN}", []),
        ("the password is required today", []),
        ("密码：请致电客服", []),
        ("a password reset", []),
        ("shopping: 482133", []),
        ("secret: meeting at five", []),
        ("PIN: see below", []),
        ("the bearer of this note", []),
        ("password-protected file", []),
        ("密码：abc", []),
        ("token aaaaaaaaaaaaaaaaaaaaaaaaaaaa", []),
        ("a skiing trip, asia-pacific", []),
    ],
)
def test_secrets_are_told_from_words(text: str, secrets: list[str]) -> None:
    """Known beginnings, given passwords, and random tokens beside a word; ordinary sentences are none."""
    assert found(SECRETS, text) == secrets


@pytest.mark.parametrize("text", ["密码Abc12345", "my password hunter2", "PIN 482133"])
def test_a_password_without_a_colon_is_likely(text: str) -> None:
    """Of medium confidence, also beside another word: names and numbers stand there as well."""
    assert found(SECRETS, text)
    assert not found(looking_for("type: secret", "high"), text)
    assert found(looking_for("type: secret", "high"), "password: letmein")


@given(st.text(min_size=1, max_size=50))
def test_disorder_is_measured_in_bits(text: str) -> None:
    """None for one character repeated, never more than the number of different ones allows."""
    assert entropy("a" * len(text)) == 0.0
    assert -1e-9 <= entropy(text) <= len(text)
    assert entropy("abcdefgh") == pytest.approx(3.0)
