"""Access tokens of the mock platform: stable per secret, 7200 s, ended or replaced on demand.

Rules of this file: what `gettoken` promises and nothing else (documentation page 91039): the same token
while it is valid, for each (corpid, secret) its own; the platform may end a token early.
"""

import secrets
from dataclasses import dataclass

from connectors.weixin.mock import codes
from connectors.weixin.mock.clock import VirtualClock
from connectors.weixin.mock.codes import ApiError

LIFE = 7200


@dataclass(slots=True)
class _Token:
    text: str
    corpid: str
    expires: float


class Tokens:
    """Secrets per corp and the tokens issued for them."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._secrets: dict[str, set[str]] = {}
        self._current: dict[tuple[str, str], _Token] = {}
        self._issued: dict[str, _Token] = {}

    def allow(self, corpid: str, secret: str) -> None:
        """Make `secret` one of the corp's app secrets."""
        self._secrets.setdefault(corpid, set()).add(secret)

    def knows(self, corpid: str) -> bool:
        """Whether this corp exists."""
        return corpid in self._secrets

    def issue(self, corpid: str, secret: str) -> tuple[str, int]:
        """(token, seconds left). Raises ApiError 41002, 41004, 40013, 40001."""
        self._admit(corpid, secret)
        now = self._clock.now()
        token = self._current.get((corpid, secret))
        if token is None or token.expires <= now:
            token = _Token(secrets.token_urlsafe(64), corpid, now + LIFE)
            self._current[corpid, secret] = self._issued[token.text] = token
        return token.text, int(token.expires - now)

    def corp_of(self, text: str) -> str:
        """The corp a call acts for. Raises ApiError 41001, 40014, 42001."""
        if not text:
            raise ApiError(codes.TOKEN_MISSING)
        token = self._issued.get(text)
        if token is None:
            raise ApiError(codes.TOKEN_INVALID)
        if token.expires <= self._clock.now():
            raise ApiError(codes.TOKEN_EXPIRED)
        return token.corpid

    def expire(self) -> None:
        """End every token now: calls answer 42001."""
        for token in self._issued.values():
            token.expires = 0.0

    def rotate(self) -> None:
        """Forget every token: calls answer 40014, gettoken gives new ones."""
        self._issued.clear()
        self._current.clear()

    def _admit(self, corpid: str, secret: str) -> None:
        if not corpid:
            raise ApiError(codes.CORPID_MISSING)
        if not secret:
            raise ApiError(codes.SECRET_MISSING)
        if corpid not in self._secrets:
            raise ApiError(codes.CORPID_WRONG)
        if secret not in self._secrets[corpid]:
            raise ApiError(codes.SECRET_WRONG)
