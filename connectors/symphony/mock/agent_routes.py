"""Routes under /agent: datafeeds, datahose, messages, attachments, DLP, audit trail, health."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import orjson

from connectors.symphony.mock.directory import Message, Stream, normal_id
from connectors.symphony.mock.event_faults import damaged
from connectors.symphony.mock.feeds import MAX_FEEDS, SCOPES, Feed, FeedRefusal, PodEvent
from connectors.symphony.mock.forms import Form, read_form
from connectors.symphony.mock.markup import plain_text
from connectors.symphony.mock.server import AGENT, OPEN, Answer, Call, Route
from connectors.symphony.mock.world import Refusal

LONGEST_TAG = 100
LONGEST_DATAHOSE_TAG = 80
MAX_BLAST = 100
HISTORY_DEFAULT, HISTORY_MOST = 50, 500
VIOLATIONS_MOST = 500


# health


async def _info(call: Call) -> dict[str, Any]:
    return {"version": call.pod.agent_version, "hostname": "mock-agent", "onPrem": True, "mt": False}


async def _health(call: Call) -> dict[str, Any]:
    return {"status": "UP"}


async def _health_extended(call: Call) -> Answer:
    status = "DOWN" if call.pod.faults.take("health_down", call.route.name) else "UP"
    part = {"status": status, "version": "25.10.1"}
    body = {
        "services": {"pod": part, "datafeed": part, "key_manager": part},
        "status": status,
        "users": {
            "agentservice": {"authType": "RSA", "status": status},
            "ceservice": {"authType": "RSA", "status": status},
        },
        "version": call.pod.agent_version,
    }
    return Answer(200 if status == "UP" else 503, body)


# datafeeds


async def _list_feeds(call: Call) -> list[dict[str, Any]]:
    now = call.pod.clock.now()
    if call.pod.faults.take("feed_vanished", call.route.name):
        _forget_feeds(call)
    return [feed.view() for feed in call.pod.feeds.of(call.user, now, call.text("tag"))]


def _forget_feeds(call: Call) -> None:
    for feed in call.pod.feeds.of(call.user, call.pod.clock.now()):
        call.pod.feeds.close(feed)


async def _create_feed(call: Call) -> Answer:
    tag = (await call.json()).get("tag")
    if tag is not None and len(str(tag)) > LONGEST_TAG:
        raise Refusal(400, f"The tag is longer than {LONGEST_TAG} characters")
    pod = call.pod
    full = len(pod.feeds.of(call.user, pod.clock.now())) >= MAX_FEEDS
    if full or pod.faults.take("feed_cap", call.route.name):
        raise Refusal(403, f"The limit of {MAX_FEEDS} datafeeds has been reached")
    fault = pod.faults.take("create_feed_status", call.route.name)
    return Answer(fault.settings["status"] if fault else 201, pod.new_feed(call.user, tag).view())


async def _delete_feed(call: Call) -> Answer:
    feed = _feed(call)
    call.pod.feeds.close(feed)
    fault = call.pod.faults.take("delete_feed_status", call.route.name)
    if fault is not None and fault.settings["status"] >= 400:
        raise Refusal(fault.settings["status"], "The datafeed could not be deleted")
    return Answer(fault.settings["status"] if fault else call.pod.delete_feed_status)


def _feed(call: Call) -> Feed:
    try:
        return call.pod.feeds.get(call.part("feed"), call.user, call.pod.clock.now())
    except FeedRefusal as fault:
        raise Refusal(400, str(fault)) from fault


async def _read_feed(call: Call) -> dict[str, Any]:
    body = await call.json()
    if call.pod.faults:
        _end_feeds_by_fault(call)
    return await _read(call, _feed(call), str(body.get("ackId") or ""))


def _end_feeds_by_fault(call: Call) -> None:
    if call.pod.faults.take("feed_vanished", call.route.name):
        _forget_feeds(call)
    if call.pod.faults.take("feed_expired", call.route.name):
        call.pod.feeds.close(_feed(call))


async def _read(call: Call, feed: Feed, ack_id: str) -> dict[str, Any]:
    try:
        feed.acknowledge(ack_id)
    except FeedRefusal as fault:
        raise Refusal(400, str(fault)) from fault
    batch = await _poll(call, feed)
    events: list[Any] = [event.json for event in batch]
    if batch and call.pod.faults:
        if call.pod.faults.take("duplicate_delivery", call.route.name):
            feed.put_back(batch)
        events = damaged(events, lambda name: call.pod.faults.take(name, call.route.name) is not None)
    return {"events": events, "ackId": feed.next_ack_id()}


async def _poll(call: Call, feed: Feed) -> list[PodEvent]:
    """Wait for news until the long poll ends. Raises Refusal 400 if the feed ends meanwhile."""
    pod = call.pod
    clock = pod.clock
    slow = pod.faults.take("slow_poll", call.route.name) if pod.faults else None
    end = clock.now() + (slow.settings["seconds"] if slow else pod.poll_seconds)
    while True:
        now = feed.last_read = clock.now()
        if call.gone():
            return []
        batch = feed.take(now, redeliver_after=pod.redelivery_seconds, limit=pod.batch_limit)
        if batch or now >= end or pod.stopping:
            return batch
        await clock.wait(feed.news, min(end, feed.next_return() or end))
        if not pod.feeds.is_open(feed):
            raise Refusal(400, "The datafeed was not found or has expired")


async def _read_datahose(call: Call) -> dict[str, Any]:
    body = await call.json()
    wanted = _datahose(call, body)
    feed = call.pod.feeds.datahose(wanted, call.pod.clock.now())
    return await _read(call, feed, str(body.get("ackId") or ""))


def _datahose(call: Call, body: dict[str, Any]) -> Feed:
    tag, types, scopes = body.get("tag"), body.get("eventTypes") or [], body.get("scopes") or list(SCOPES)
    if body.get("type") != "datahose":
        raise Refusal(400, 'The type of the feed must be "datahose"')
    if not isinstance(tag, str) or not 1 <= len(tag) <= LONGEST_DATAHOSE_TAG:
        raise Refusal(400, f"The tag must have 1 to {LONGEST_DATAHOSE_TAG} characters")
    if not types or not set(scopes) <= SCOPES:
        raise Refusal(400, "At least one event type is needed, and scopes of INTERNAL, EXTERNAL, FEDERATED")
    feed_id = f"{normal_id(tag)}-{call.pod.mint.next()}_p_{call.pod.mint.hex()}"
    return Feed(
        feed_id, call.user, tag, call.pod.clock.now(), "datahose", frozenset(types), frozenset(scopes)
    )


# messages


async def _form(call: Call) -> Form:
    form = await read_form(call.request, call.pod.new_file)
    if call.record is not None:
        call.record.fields = {name: text[:4096] for name, text in form.texts.items()}
        call.record.files = [
            {"part": part, "name": file.name, "size": file.size} for part, file in form.files
        ]
    return form


def _presented(call: Call, form: Form) -> tuple[str, str | None]:
    message = form.texts.get("message")
    if message is None:
        raise Refusal(400, 'The part "message" is missing')
    return call.pod.presented(message, form.texts.get("data"))


async def _create_message(call: Call) -> Any:
    form = await _form(call)
    try:
        stream = call.stream()
        presentation, data = _presented(call, form)
        return call.pod.post(call.user, stream, presentation, data, form.attachments(), by_agent=True).view()
    except Refusal:
        form.discard()
        raise


async def _update_message(call: Call) -> Any:
    form = await _form(call)
    try:
        old = _message(call, "mid")
        if old.stream is not call.stream():
            raise Refusal(400, "The message is not in this stream")
        presentation, data = _presented(call, form)
        silent = form.texts.get("silent", "true").lower() != "false"
        return call.pod.replace(
            old, call.user, presentation, data, form.attachments(), by_agent=True, silent=silent
        ).view()
    except Refusal:
        form.discard()
        raise


async def _blast(call: Call) -> dict[str, Any]:
    form = await _form(call)
    sids = [sid.strip() for sid in form.texts.get("sids", "").split(",") if sid.strip()]
    if not 1 <= len(sids) <= MAX_BLAST:
        form.discard()
        raise Refusal(400, f"A blast goes to 1 to {MAX_BLAST} streams")
    try:
        presentation, data = _presented(call, form)
    except Refusal:
        form.discard()
        raise
    messages: list[Any] = []
    errors: dict[str, dict[str, Any]] = {}
    for sid in sids:
        try:
            stream = call.pod.stream(sid)
            messages.append(
                call.pod.post(call.user, stream, presentation, data, form.attachments(), by_agent=True).view()
            )
        except Refusal as refusal:
            errors[sid] = {"code": refusal.status, "message": refusal.message}
    return {"messages": messages, "errors": errors}


async def _import(call: Call) -> list[dict[str, Any]]:
    return [_imported(call, item) for item in await call.json(list)]


def _imported(call: Call, item: dict[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {
        key: item[key] for key in ("originatingSystemId", "originalMessageId") if key in item
    }
    try:
        shown["messageId"] = _import_one(call, item).message_id
    except Refusal as refusal:
        shown["diagnostic"] = refusal.message
    except (KeyError, TypeError, binascii.Error) as fault:
        shown["diagnostic"] = f"The item cannot be read: {fault}"
    return shown


def _import_one(call: Call, item: dict[str, Any]) -> Message:
    pod = call.pod
    if not call.user.content_manager:
        raise Refusal(403, "The user lacks the required entitlement to perform this operation")
    stream, author = pod.stream(item["streamId"]), pod.user(item["intendedMessageFromUserId"])
    if call.user.user_id not in stream.members or author.user_id not in stream.members:
        raise Refusal(403, "Importer and author must be members of the stream")
    if item["intendedMessageTimestamp"] >= pod.clock.now_ms():
        raise Refusal(400, "The time of an imported message must be in the past")
    presentation, data = pod.presented(item["message"], item.get("data"))
    files = [
        pod.store(
            file["filename"], "application/octet-stream", base64.b64decode(file["content"], validate=True)
        )
        for file in item.get("attachments") or ()
    ]
    return pod.insert(author, stream, presentation, data, files, item["intendedMessageTimestamp"])


def _message(call: Call, name: str = "id") -> Message:
    message = call.pod.message(call.part(name))
    if call.user.user_id not in message.stream.members:
        raise Refusal(403, "The user is not a member of the stream")
    return message


async def _get_message(call: Call) -> Any:
    message = _message(call)
    return None if message.suppressed_at is not None else message.view()


async def _history(call: Call) -> Any:
    since = call.number("since")
    if since is None:
        raise Refusal(400, "Parameter since is required")
    limit = call.count("limit", HISTORY_DEFAULT, HISTORY_MOST)
    stream = call.member_stream()
    found = call.pod.history(stream, since, call.number("until"), call.count("skip", 0), limit)
    return [message.view() for message in found] or None


async def _search(call: Call) -> Any:
    query = await call.json() if call.request.method == "POST" else dict(_query_words(call.text("query")))
    if query.get("text") and not query.get("streamId"):
        raise Refusal(400, "text needs streamId")
    streams = (
        [call.pod.stream(query["streamId"])] if query.get("streamId") else call.pod.streams_of(call.user)
    )
    found = [message for stream in streams for message in _matching(call, stream, query)]
    skip, limit = call.count("skip", 0), call.count("limit", HISTORY_DEFAULT, 1000)
    newest_first = sorted(found, key=lambda message: message.timestamp, reverse=True)[skip : skip + limit]
    return [message.view() for message in newest_first] or None


def _query_words(query: str) -> list[tuple[str, str]]:
    pairs = (word.partition(":") for word in query.split(" AND "))
    return [(key.strip(), value.strip()) for key, _, value in pairs if value]


def _matching(call: Call, stream: Stream, query: dict[str, Any]) -> list[Message]:
    if call.user.user_id not in stream.members:
        raise Refusal(403, "The user is not a member of the stream")
    text, author = str(query.get("text") or "").lower(), query.get("author")
    since, until = int(query.get("fromDate") or 0), query.get("toDate")
    found = call.pod.history(stream, since, int(until) if until else None, 0, len(stream.messages))
    return [
        message
        for message in found
        if text in plain_text(message.presentation).lower()
        and author in (None, message.author.user_id, str(message.author.user_id))
    ]


async def _attachment(call: Call) -> Answer:
    stream, wanted = call.member_stream(), normal_id(call.text("fileId"))
    message = call.pod.find_message(call.text("messageId"))
    if message is not None and message.stream is stream:
        for file in message.files:
            if normal_id(file.file_id) == wanted:
                return Answer(file=file)
    # The agent maps the pod's 404 to 400.
    raise Refusal(400, "The attachment was not found")


# compliance


async def _policies(call: Call) -> dict[str, Any]:
    policies = [rule.policy() for rule in call.pod.compliance.rules]
    return {"policies": policies, "page": 0, "size": len(policies), "pageCount": 1}


async def _policy(call: Call) -> dict[str, Any]:
    for rule in call.pod.compliance.rules:
        if rule.policy_id == call.part("policyId"):
            return {"data": rule.policy()}
    raise Refusal(404, "Policy not found")


def _violations(call: Call, of_messages: bool) -> tuple[list[Any], str]:
    start = call.number("startTime")
    if start is None:
        raise Refusal(400, "Parameter startTime is required")
    end = call.number("endTime", call.pod.clock.now_ms())
    limit, first = call.count("limit", 50, VIOLATIONS_MOST), int(call.text("next", "0") or 0)
    wanted = "Messages" if of_messages else "RoomMeta"
    found = [
        violation
        for violation in call.pod.compliance.violations
        if start <= violation.at <= (end or 0) and violation.rule.data_type == wanted
    ]
    following = str(first + limit) if first + limit < len(found) else ""
    return found[first : first + limit], following


async def _message_violations(call: Call) -> dict[str, Any]:
    found, following = _violations(call, True)
    return {"violations": [violation.message_view() for violation in found], "nextOffset": following}


async def _stream_violations(call: Call) -> dict[str, Any]:
    found, following = _violations(call, False)
    return {"violations": [violation.stream_view() for violation in found], "nextOffset": following}


async def _signal_violations(call: Call) -> dict[str, Any]:
    return {"violations": [], "nextOffset": ""}


async def _audit_trail(call: Call) -> Any:
    start = call.number("startTimestamp")
    if start is None:
        raise Refusal(400, "Parameter startTimestamp is required")
    end = call.number("endTimestamp", call.pod.clock.now_ms()) or 0
    initiator, limit = call.text("initiatorId"), call.count("limit", 50, 500)
    first = call.count("after", 0)
    found = [
        act
        for act in call.pod.compliance.audit
        if start <= int(act["timestamp"]) <= end and initiator in ("", act["initiatorId"])
    ]
    items: list[Any] = found[first : first + limit]
    if call.pod.faults.take("other_json_types", call.route.name):
        items = [
            {**act, "timestamp": int(act["timestamp"]), "initiatorId": int(act["initiatorId"])}
            for act in items
        ]
    cursors = {"before": str(max(0, first - limit))}
    if first + limit < len(found):
        cursors["after"] = str(first + limit)
    return {"items": items, "pagination": {"cursors": cursors}} if found else None


async def _echo(call: Call) -> Any:
    return orjson.Fragment(await call.request.read())


ROUTES = (
    Route("agent.info", "GET", "/agent/v1/info", OPEN, _info),
    Route("health", "GET", "/agent/v3/health", OPEN, _health),
    Route("health.extended", "GET", "/agent/v3/health/extended", OPEN, _health_extended),
    Route("agent.echo", "POST", "/agent/v1/util/echo", AGENT, _echo),
    Route("datafeed.list", "GET", "/agent/v5/datafeeds", AGENT, _list_feeds),
    Route("datafeed.create", "POST", "/agent/v5/datafeeds", AGENT, _create_feed),
    Route("datafeed.delete", "DELETE", "/agent/v5/datafeeds/{feed}", AGENT, _delete_feed),
    Route("datafeed.read", "POST", "/agent/v5/datafeeds/{feed}/read", AGENT, _read_feed),
    Route("datahose.read", "POST", "/agent/v5/events/read", AGENT, _read_datahose),
    Route("message.create", "POST", "/agent/v4/stream/{sid}/message/create", AGENT, _create_message),
    Route("message.update", "POST", "/agent/v4/stream/{sid}/message/{mid}/update", AGENT, _update_message),
    Route("message.blast", "POST", "/agent/v4/message/blast", AGENT, _blast),
    Route("message.import", "POST", "/agent/v4/message/import", AGENT, _import),
    Route("message.search", "GET", "/agent/v1/message/search", AGENT, _search),
    Route("message.search", "POST", "/agent/v1/message/search", AGENT, _search),
    Route("message.get", "GET", "/agent/v1/message/{id}", AGENT, _get_message),
    Route("message.history", "GET", "/agent/v4/stream/{sid}/message", AGENT, _history),
    Route("attachment.get", "GET", "/agent/v1/stream/{sid}/attachment", AGENT, _attachment),
    Route("dlp.policies", "GET", "/agent/v3/dlp/policies", AGENT, _policies),
    Route("dlp.policy", "GET", "/agent/v3/dlp/policies/{policyId}", AGENT, _policy),
    Route("dlp.violations.message", "GET", "/agent/v3/dlp/violations/message", AGENT, _message_violations),
    Route("dlp.violations.stream", "GET", "/agent/v3/dlp/violations/stream", AGENT, _stream_violations),
    Route("dlp.violations.signal", "GET", "/agent/v3/dlp/violations/signal", AGENT, _signal_violations),
    Route("audittrail.list", "GET", "/agent/v1/audittrail/privilegeduser", AGENT, _audit_trail),
)
