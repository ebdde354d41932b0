"""Logins of the mock pod: real RS512 checks, short sessions, key manager tokens, acting on behalf of a user.

Source: Symphony's RSA authentication pages and the login specification. Every fault of a login is the same
401: the platform does not say which it was.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from connectors.symphony.mock.clock import PodClock
from connectors.symphony.mock.directory import User

LONGEST_JWT_SECONDS = 300
"""A login JWT may expire at most this far ahead."""
KEY_BITS = 2048
PREVIOUS_KEY_SECONDS = 72 * 3600
"""How long a replaced key still signs logins."""


class LoginRefused(Exception):
    """The 401 of every login fault."""


@dataclass(eq=False)
class Session:
    """A live session token, and on whose behalf it acts."""

    token: str
    user: User
    expires: float
    app_id: str | None = None
    acts_for_user: bool = False
    needs_key_manager: bool = True


@dataclass(eq=False)
class App:
    """An extension app that may act on behalf of users."""

    app_id: str
    public_key_pem: str


def new_key_pair() -> tuple[str, str]:
    """A fresh RSA key pair in PEM: private (PKCS#8) and public."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return private.decode(), public.decode()


class SessionDesk:
    """Who is logged in. Times are the pod clock's."""

    def __init__(
        self, clock: PodClock, *, session_seconds: float, key_manager_seconds: float, simplified_keys: bool
    ) -> None:
        self._clock = clock
        self._session_seconds = session_seconds
        self._key_manager_seconds = key_manager_seconds
        self._simplified_keys = simplified_keys
        self._sessions: dict[str, Session] = {}
        self._key_manager: dict[str, tuple[User, float]] = {}
        self.previous_keys: dict[int, tuple[str, float]] = {}

    @cached_property
    def pod_keys(self) -> tuple[str, str]:
        """The pod's own signing key pair, for JWT session tokens and `/login/idm/keys`."""
        return new_key_pair()

    @cached_property
    def _signing(self) -> PrivateKeyTypes:
        """The private one of these, ready: to read a key takes longer than to sign with it."""
        return serialization.load_pem_private_key(self.pod_keys[0].encode(), None)

    def subject(self, token: object) -> str:
        """The `sub` of a login JWT, not yet believed. Raises LoginRefused if it is none."""
        try:
            claims = jwt.decode(str(token), options={"verify_signature": False})
        except jwt.InvalidTokenError as fault:
            raise LoginRefused from fault
        return str(claims.get("sub", ""))

    def check(self, token: object, public_keys: list[str]) -> None:
        """Believe a login JWT if one of the keys signed it with RS512 and `exp` lies in (now, now + 300].

        Raises LoginRefused otherwise.
        """
        for public_key in public_keys:
            claims = _verified(str(token), public_key)
            if claims is not None and self._lives(claims.get("exp")):
                return
        raise LoginRefused

    def keys_of(self, user: User) -> list[str]:
        """The keys that may sign for the user now: the present one, and the one before it for 72 hours."""
        keys = [user.public_key_pem] if user.public_key_pem and not user.key_revoked else []
        previous = self.previous_keys.get(user.user_id)
        if previous is not None and previous[1] > self._clock.now():
            keys.append(previous[0])
        return keys

    def _lives(self, expiry: object) -> bool:
        now = self._clock.now()
        return isinstance(expiry, (int, float)) and now < expiry <= now + LONGEST_JWT_SECONDS + 1

    def open(self, user: User, *, app_id: str | None = None, acts_for_user: bool = False) -> Session:
        """Start a session."""
        skipped = acts_for_user or self._simplified_keys
        session = Session(
            self._token(user),
            user,
            self._clock.now() + self._session_seconds,
            app_id,
            acts_for_user,
            not skipped,
        )
        self._sessions[session.token] = session
        return session

    def _token(self, user: User) -> str:
        if not self._simplified_keys:
            return secrets.token_urlsafe(48)
        claims = {"sub": user.username, "canUseSimplifiedKeyDelivery": True, "jti": secrets.token_hex(8)}
        claims["exp"] = int(self._clock.now() + self._session_seconds)
        return jwt.encode(claims, self._signing, algorithm="RS512")

    def open_key_manager(self, user: User) -> str:
        """A fresh key manager token."""
        token = "0100" + secrets.token_hex(62)
        self._key_manager[token] = (user, self._clock.now() + self._key_manager_seconds)
        return token

    def session(self, token: str | None) -> Session | None:
        """The live session of a token, or None."""
        session = self._sessions.get(token or "")
        if session is not None and session.expires <= self._clock.now():
            del self._sessions[session.token]
            return None
        return session

    def key_manager_ok(self, token: str | None, session: Session) -> bool:
        """Whether the key manager token fits the session; those that need none accept an empty one."""
        if not session.needs_key_manager and not token:
            return True
        user, expires = self._key_manager.get(token or "", (None, 0.0))
        return user is session.user and expires > self._clock.now()

    def end(self, user: User) -> None:
        """End every session of the user."""
        self._sessions = {
            token: session for token, session in self._sessions.items() if session.user is not user
        }

    def end_key_manager(self, user: User) -> None:
        """End every key manager token of the user."""
        self._key_manager = {token: held for token, held in self._key_manager.items() if held[0] is not user}

    def access_token(self, session: Session, scope: str) -> dict[str, Any]:
        """JwtToken: a short-lived bearer token for the newer services (`/login/idm/tokens`)."""
        claims = {
            "sub": session.user.username,
            "scope": scope,
            "exp": int(self._clock.now()) + LONGEST_JWT_SECONDS,
        }
        access = jwt.encode(claims, self._signing, algorithm="RS512")
        return {"token_type": "Bearer", "expires_in": LONGEST_JWT_SECONDS, "access_token": access}

    def key_set(self) -> dict[str, Any]:
        """Jwks: the pod's public key."""
        public = serialization.load_pem_public_key(self.pod_keys[1].encode())
        assert isinstance(public, rsa.RSAPublicKey)
        entry = jwt.algorithms.RSAAlgorithm.to_jwk(public, as_dict=True)
        return {
            "keys": [
                {
                    "kty": entry["kty"],
                    "n": entry["n"],
                    "e": entry["e"],
                    "alg": "RS512",
                    "use": "sig",
                    "kid": "pod",
                }
            ]
        }


def _verified(token: str, public_key: str) -> dict[str, Any] | None:
    options: Any = {"verify_exp": False, "verify_aud": False, "verify_nbf": False, "verify_iat": False}
    try:
        return jwt.decode(token, public_key, algorithms=["RS512"], options=options)
    except (jwt.InvalidTokenError, ValueError):
        return None
