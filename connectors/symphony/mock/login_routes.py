"""Routes under /login and /relay: RSA logins, on-behalf-of logins, bearer tokens."""

from __future__ import annotations

from typing import Any

from connectors.symphony.mock.directory import User
from connectors.symphony.mock.server import OPEN, SESSION, Answer, Call, Route
from connectors.symphony.mock.sessions import LoginRefused, Session
from connectors.symphony.mock.world import Refusal


def _unauthorized() -> Refusal:
    return Refusal(401, "Unauthorized")


async def _proven_user(call: Call) -> User:
    """The service account whose JWT the body holds. Raises Refusal 401 for whatever is wrong with it."""
    body = await call.json()
    pod = call.pod
    try:
        user = pod.find_user(pod.sessions.subject(body.get("token")))
        _let_faults_refuse(call, user)
        if user is None or not user.service:
            raise LoginRefused
        pod.sessions.check(body.get("token"), pod.sessions.keys_of(user))
    except LoginRefused as refused:
        raise _unauthorized() from refused
    return user


def _let_faults_refuse(call: Call, user: User | None) -> None:
    faults, name = call.pod.faults, call.route.name
    if not faults:
        return
    if user is not None and faults.take("key_revoked", name):
        call.pod.revoke_key(user)
    if faults.take("login_refused", name):
        raise LoginRefused


async def _session(call: Call) -> dict[str, Any]:
    user = await _proven_user(call)
    return _token(call, call.pod.sessions.open(user))


def _token(call: Call, session: Session) -> dict[str, Any]:
    shown = {"token": session.token, "name": "sessionToken"}
    if call.pod.bearer_tokens:
        shown["authorizationToken"] = "Bearer " + call.pod.sessions.access_token(session, "")["access_token"]
    return shown


async def _key_manager(call: Call) -> dict[str, Any]:
    user = await _proven_user(call)
    return {"token": call.pod.sessions.open_key_manager(user), "name": "keyManagerToken"}


async def _app(call: Call) -> dict[str, Any]:
    body = await call.json()
    pod = call.pod
    try:
        app = pod.apps.get(pod.sessions.subject(body.get("token")))
        _let_faults_refuse(call, None)
        if app is None:
            raise LoginRefused
        pod.sessions.check(body.get("token"), [app.public_key_pem])
    except LoginRefused as refused:
        raise _unauthorized() from refused
    # An app session belongs to nobody: it is good for nothing but logging in for users.
    nobody = User(0, app.app_id, "", app.app_id, service=True)
    return _token(call, pod.sessions.open(nobody, app_id=app.app_id))


async def _on_behalf(call: Call) -> dict[str, Any]:
    session = call.pod.sessions.session(call.request.headers.get("sessionToken"))
    if call.pod.faults.take("login_refused", call.route.name) or session is None or session.app_id is None:
        raise _unauthorized()
    name = call.request.match_info.get("username")
    user = call.pod.find_user(name if name is not None else int(call.part("userId")))
    if user is None:
        raise _unauthorized()
    return _token(call, call.pod.sessions.open(user, app_id=session.app_id, acts_for_user=True))


async def _bearer(call: Call) -> Any:
    if not call.pod.bearer_tokens:
        raise Refusal(404, "Not found")
    assert call.session is not None
    return call.pod.sessions.access_token(call.session, call.text("scope"))


async def _keys(call: Call) -> Any:
    return (
        call.pod.sessions.key_set()
        if call.pod.bearer_tokens
        else Answer(404, {"code": 404, "message": "Not found"})
    )


ROUTES = (
    Route("login.session", "POST", "/login/pubkey/authenticate", OPEN, _session),
    Route("login.keymanager", "POST", "/relay/pubkey/authenticate", OPEN, _key_manager),
    Route("login.app", "POST", "/login/pubkey/app/authenticate", OPEN, _app),
    Route("login.obo", "POST", r"/login/pubkey/app/user/{userId:\d+}/authenticate", OPEN, _on_behalf),
    Route("login.obo", "POST", "/login/pubkey/app/username/{username}/authenticate", OPEN, _on_behalf),
    Route("login.bearer", "POST", "/login/idm/tokens", SESSION, _bearer),
    Route("login.keys", "GET", "/login/idm/keys", OPEN, _keys),
)
