"""The chat window of one person of the mock pod: a page for a browser, fed by server-sent events.

The page is `chat.html`: self-contained, under a content security policy that lets nothing else load or run.
Texts reach it as HTML that was reduced to harmless tags here, not in the browser.
"""

from __future__ import annotations

import html
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import web

from connectors.symphony.mock.directory import Message, Stream, User
from connectors.symphony.mock.markup import safe_html
from connectors.symphony.mock.world import Refusal

if TYPE_CHECKING:
    from connectors.symphony.mock.pod import SymphonyPod

PAGE = Path(__file__).with_name("chat.html")
SHOWN_MESSAGES = 200
"""Messages of a stream the page holds at most."""
KEEP_ALIVE_SECONDS = 15.0
IMAGE_TYPES = ("image/png", "image/jpeg", "image/gif", "image/webp")


def add_routes(application: web.Application, pod: SymphonyPod) -> None:
    """Put the page and its feed into the application."""

    async def page(request: web.Request) -> web.StreamResponse:
        return _page(pod, request.query.get("user", ""))

    async def feed(request: web.Request) -> web.StreamResponse:
        user = pod.find_user(request.query.get("user", ""))
        return (
            await _feed(pod, user, request)
            if user is not None
            else web.Response(status=404, text="No such user\n")
        )

    application.router.add_get("/_mock/chat", page)
    application.router.add_get("/_mock/chat/stream", feed)


def _page(pod: SymphonyPod, name: str) -> web.Response:
    try:
        user = pod.user(name)
    except Refusal as refusal:
        return web.Response(status=404, text=f"{refusal.message}: open /_mock/chat?user=<user name>\n")
    nonce = secrets.token_urlsafe(16)
    who = {
        "userId": user.user_id,
        "username": user.username,
        "name": user.display_name,
        "company": user.company,
    }
    text = PAGE.read_text(encoding="utf-8").replace("{{nonce}}", nonce)
    text = text.replace("{{who}}", html.escape(orjson.dumps(who).decode())).replace(
        "{{name}}", html.escape(user.display_name)
    )
    policy = (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; "
        "img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    headers = {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
    }
    return web.Response(text=text, content_type="text/html", headers=headers)


async def _feed(pod: SymphonyPod, user: User, request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
    await response.prepare(request)
    sent: dict[str, int] = {}
    while not pod.stopping and request.transport is not None and not request.transport.is_closing():
        changed = [stream for stream in pod.streams_of(user) if sent.get(stream.stream_id) != stream.revision]
        sent.update({stream.stream_id: stream.revision for stream in changed})
        for stream in changed:
            stream.read_marks[user.user_id] = pod.clock.now_ms()
        await response.write(_frame(pod, user, changed))
        await pod.clock.wait(pod.news, pod.clock.now() + KEEP_ALIVE_SECONDS)
    return response


def _frame(pod: SymphonyPod, user: User, changed: list[Stream]) -> bytes:
    present = [stream.stream_id for stream in pod.streams_of(user)]
    shown = [_stream_view(pod, user, stream) for stream in changed]
    return b"data: " + orjson.dumps({"present": present, "changed": shown}) + b"\n\n"


def _stream_view(pod: SymphonyPod, user: User, stream: Stream) -> dict[str, Any]:
    others = [other for other in stream.users if other is not user]
    visible = [message for message in stream.messages if not message.replaced_by][-SHOWN_MESSAGES:]
    visible.sort(key=lambda message: message.initial_timestamp or message.timestamp)
    return {
        "id": stream.stream_id,
        "kind": stream.kind,
        "active": stream.active,
        "external": stream.external,
        "name": stream.name or ", ".join(other.display_name for other in others) or user.display_name,
        "members": [{"name": member.display_name, "service": member.service} for member in stream.users],
        "messages": [_message_view(pod, user, message) for message in visible],
    }


def _message_view(pod: SymphonyPod, user: User, message: Message) -> dict[str, Any]:
    gone = message.suppressed_at is not None
    return {
        "id": message.message_id,
        "author": message.author.display_name,
        "service": message.author.service,
        "mine": message.author is user,
        "at": message.initial_timestamp or message.timestamp,
        "gone": gone,
        "edited": message.initial_id is not None,
        "html": "" if gone else safe_html(message.presentation),
        "text": "" if gone else message.text,
        "files": [] if gone else [_file_view(message, file) for file in message.files],
        "reply": _reply_view(pod, message.parent_id),
    }


def _file_view(message: Message, file: Any) -> dict[str, Any]:
    url = f"/_mock/files/{message.message_id}/{file.file_id}"
    return {"name": file.name, "size": file.size, "image": file.content_type in IMAGE_TYPES, "url": url}


def _reply_view(pod: SymphonyPod, parent_id: str | None) -> dict[str, str] | None:
    parent = pod.find_message(parent_id) if parent_id is not None else None
    if parent is None:
        return None
    return {
        "author": parent.author.display_name,
        "text": "" if parent.suppressed_at is not None else parent.text[:120],
    }
