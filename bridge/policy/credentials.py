"""Passwords, keys and tokens.

Rules of this file: keys of known makers are known by how they begin. Anything else is a secret by its
disorder (Shannon entropy, in bits per character) and by a word beside it; nothing is sent anywhere to be
tried.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator

from bridge.policy.detectors import CERTAIN, HIGH, LOW, MEDIUM, Finding, Levels, Scan, Shape

# AWS, GitHub, Slack, Stripe, Google, OpenAI and Anthropic, JSON Web Tokens, PEM.
_KNOWN = re.compile(
    r"(?<![0-9a-z_-])(?:a(?:kia|sia)[0-9a-z]{16}|gh[pousr]_[0-9a-z]{36}|github_pat_[0-9a-z_]{22,93}"
    r"|xox[abeoprs]-[0-9a-z-]{10,80}|[rs]k_(?:live|test)_[0-9a-z]{16,99}|aiza[0-9a-z_-]{35}"
    r"|sk-[0-9a-z_-]{20,180}|eyj[0-9a-z_-]{8,2000}\.eyj[0-9a-z_-]{8,4000}\.[0-9a-z_-]{8,1000}"
    r")(?![0-9a-z])|-----begin (?:[a-z]{1,9} ){0,2}private key-----"
)
_KNOWN_SHAPE = "akia|asia|gh[pousr]_|github_pat_|xox[abeoprs]-|[rs]k_(?:live|test)_|aiza|sk-|eyj|-----begin "
_PASSWORDS = r"passwords?|passwd|passcode|pwd|\bpw\b|密码|口令"
_KEYS = r"api[ _-]?key|secret(?:[ _-]key)?|access[ _-]?token|密钥|令牌"
_NAMES = rf"{_PASSWORDS}|\bpin\b|{_KEYS}"
# Behind the name: what gives it away, perhaps a quotation mark, and at least four characters.
_GIVEN = re.compile(
    rf"(?:(?P<password>{_PASSWORDS})|(?P<pin>(?<![a-z0-9])pin)|{_KEYS}) ?"
    r"(?P<link>(?:is|是|为)? ?[:=]|是|为|is(?= )|) ?[\"'“”‘’「『<(\[]?"
    r"(?P<given>(?![:=])[!-~]{3,63}[0-9a-z@#$%^&*+=_~/-])"
)
_BEARER = re.compile(r"(?<![a-z0-9])(?:authorization ?: ?(?:bearer|basic)|bearer) ([0-9a-z._~+/=-]{8,4000})")
_TOKEN_SHAPE = r"[0-9a-z+/_=-]{24}"
_TOKEN = re.compile(r"(?<![0-9a-z+/_=-])[0-9a-z+/_=-]{24,128}(?![0-9a-z+/_=-])")
WORDS = ("password", "api key", "secret", "token", "credential", "密码", "口令", "密钥", "令牌")
_LIKELY = Levels(MEDIUM, MEDIUM)
DISORDER = 4.0  # bits per character from which a token is no word, number or date


def entropy(text: str) -> float:
    """Shannon entropy of the characters of `text`, in bits per character; 0 for the empty text."""
    return sum(n / len(text) * math.log2(len(text) / n) for n in Counter(text).values())


def _looks_chosen(token: str) -> bool:
    """Whether a given word is more than a word: letters together with digits or signs."""
    return any(c.isalpha() for c in token) and any(not c.isalpha() and c not in ".,;:!?" for c in token)


def _as_given(match: re.Match[str]) -> Levels | None:
    """How surely what stands behind a name is the secret. After a colon, `=` or 是 any password is one."""
    given, link = match["given"], match["link"]
    numbered = any(char.isdigit() for char in given)
    if not link:
        mixed = numbered and len(given) > 4 and any(char.isalpha() for char in given)
        return _LIKELY if mixed or (match["pin"] and given.isdigit()) else None
    if match["password"] and link != "is":
        return CERTAIN
    if match["pin"]:
        return CERTAIN if numbered else None
    return CERTAIN if _looks_chosen(given) or (match["password"] and numbered) else None


def _mixed(token: str) -> bool:
    kinds = (str.isupper, str.islower, str.isdigit)
    return all(any(kind(char) for char in token) for kind in kinds)


def _secrets(scan: Scan) -> Iterator[Finding]:
    for match in _KNOWN.finditer(scan.text):
        yield Finding(*match.span(), *CERTAIN)
    for match in _GIVEN.finditer(scan.text):
        levels = _as_given(match)
        if levels is not None:
            yield Finding(*match.span("given"), *levels)
    for match in _BEARER.finditer(scan.text):
        if any(char.isdigit() for char in match[1]):
            yield Finding(*match.span(1), *CERTAIN)
    for match in _TOKEN.finditer(scan.text):
        token = scan.written(*match.span())
        if _mixed(token) and entropy(token) >= DISORDER:
            yield Finding(*match.span(), *Levels(LOW, HIGH))


SECRET = Shape(f"{_KNOWN_SHAPE}|{_NAMES}|bearer|authorization|{_TOKEN_SHAPE}", _secrets, WORDS)
