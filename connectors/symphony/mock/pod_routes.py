"""Routes under /pod: users, streams, rooms, connections, suppression, receipts, compliance lists."""

from __future__ import annotations

from typing import Any

from connectors.symphony.mock.directory import HOME_TENANT, Membership, Stream, User
from connectors.symphony.mock.server import SESSION, Call, Route
from connectors.symphony.mock.world import Refusal

MAX_USERS = 100
ALLOWED_TYPES = (
    ".pdf",
    ".png",
    ".jpg",
    ".jpeg",
    ".gif",
    ".txt",
    ".csv",
    ".docx",
    ".xlsx",
    ".pptx",
    ".zip",
    ".mp3",
    ".mp4",
    ".amr",
)


def _success(message: str) -> dict[str, str]:
    return {"format": "TEXT", "message": message}


def _body_user(call: Call, body: dict[str, Any], key: str = "id") -> User:
    user = call.pod.users.get(body.get(key, 0))
    if user is None:
        raise Refusal(400, f"No user {body.get(key)}")
    return user


# users


async def _session_info(call: Call) -> dict[str, Any]:
    return call.user.profile()


async def _users(call: Call) -> Any:
    kinds = [kind for kind in ("uid", "email", "username") if call.text(kind)]
    if len(kinds) != 1:
        raise Refusal(400, "Give exactly one of uid, email, username")
    wanted = [value for value in call.text(kinds[0]).split(",") if value]
    if len(wanted) > MAX_USERS:
        raise Refusal(400, f"At most {MAX_USERS} users can be asked for at once")
    found, errors = [], []
    for value in wanted:
        user = _looked_up(call, kinds[0], value)
        if user is not None:
            found.append(user.profile())
        else:
            errors.append({"error": f"invalid.{kinds[0]}", "email" if kinds[0] == "email" else "id": value})
    return {"users": found, "errors": errors} if found or (errors and len(wanted) > 1) else None


def _looked_up(call: Call, kind: str, value: str) -> User | None:
    user = (
        call.pod.users.get(int(value)) if kind == "uid" and value.isdecimal() else call.pod.find_user(value)
    )
    hidden = user is not None and call.flag("local") and user.tenant != HOME_TENANT
    return None if hidden or user is None or (kind == "email") != ("@" in value) else user


# streams


async def _create_im(call: Call) -> dict[str, str]:
    others = [_known(call, number) for number in await call.json(list)]
    if not others:
        raise Refusal(400, "An IM needs at least one other user")
    return {"id": call.pod.create_im([call.user, *others])}


async def _create_im_for_others(call: Call) -> dict[str, str]:
    users = [_known(call, number) for number in await call.json(list)]
    if len(users) < 2:
        raise Refusal(400, "An IM needs at least two users")
    return {"id": call.pod.create_im(users)}


def _known(call: Call, number: Any) -> User:
    user = call.pod.users.get(number)
    if user is None:
        raise Refusal(400, f"No user {number}")
    return user


async def _im_info(call: Call) -> dict[str, Any]:
    stream = call.stream("id")
    info = {"id": stream.stream_id, "creationDate": stream.created_at, "active": stream.active}
    return {"V1IMAttributes": {}, "IMSystemInfo": info}


async def _stream_info(call: Call) -> dict[str, Any]:
    return call.stream().info()


async def _streams(call: Call) -> Any:
    wanted = await call.json()
    types = {item.get("type") for item in wanted.get("streamTypes") or ()}
    found = [
        stream
        for stream in call.pod.streams_of(call.user)
        if (not types or stream.kind in types) and (stream.active or wanted.get("includeInactiveStreams"))
    ]
    skip, limit = call.count("skip", 0), call.count("limit", 50, 1000)
    return [stream.listed() for stream in found[skip : skip + limit]] or None


async def _stream_members(call: Call) -> dict[str, Any]:
    stream = call.stream("id")
    skip, limit = call.count("skip", 0), call.count("limit", 100, 1000)
    places = list(stream.members.values())
    members = [_member_detail(stream, place) for place in places[skip : skip + limit]]
    return {"count": len(places), "skip": skip, "limit": limit, "members": members}


def _member_detail(stream: Stream, place: Membership) -> dict[str, Any]:
    user = place.user
    first, last = user.names
    shown = {
        "userId": user.user_id,
        "email": user.email,
        "firstName": first,
        "lastName": last,
        "displayName": user.display_name,
        "company": user.company,
        "companyId": user.tenant,
        "isExternal": user.tenant != HOME_TENANT,
    }
    return {
        "user": shown,
        "isOwner": place.owner,
        "isCreator": user is stream.creator,
        "joinDate": place.joined_at,
    }


async def _stream_attachments(call: Call) -> list[dict[str, Any]]:
    stream = call.member_stream()
    since, until = call.count("since", 0), call.number("to")
    found = [
        {
            "messageId": message.message_id,
            "ingestionDate": message.timestamp,
            "userId": message.author.user_id,
            "fileId": file.file_id,
            "name": file.name,
            "size": file.size,
            "content-type": file.content_type,
            "previews": [],
        }
        for message in call.pod.history(stream, since, until, 0, len(stream.messages))
        for file in message.files
    ]
    ordered = found if call.text("sortDir", "DESC").upper() == "ASC" else found[::-1]
    return ordered[: call.count("limit", 50, 100)]


# rooms


async def _create_room(call: Call) -> dict[str, Any]:
    return call.pod.open_room(call.user, await call.json()).room_detail()


async def _update_room(call: Call) -> dict[str, Any]:
    room = _room(call)
    call.pod.update_room(call.user, room, await call.json())
    return room.room_detail()


async def _room_info(call: Call) -> dict[str, Any]:
    return _room(call).room_detail()


def _room(call: Call) -> Stream:
    stream = call.stream("id")
    if stream.kind != "ROOM":
        raise Refusal(400, "The stream is not a room")
    return stream


async def _set_active(call: Call) -> dict[str, Any]:
    room = _room(call)
    if call.text("active").lower() not in ("true", "false"):
        raise Refusal(400, "Parameter active must be true or false")
    call.pod.set_active(room, call.flag("active"), by=call.user)
    return room.old_room_detail()


async def _add_member(call: Call) -> dict[str, str]:
    call.pod.join(_room(call), _body_user(call, await call.json()), by=call.user)
    return _success("Member added")


async def _remove_member(call: Call) -> dict[str, str]:
    call.pod.leave(_room(call), _body_user(call, await call.json()), by=call.user)
    return _success("Member removed")


async def _promote(call: Call) -> dict[str, str]:
    call.pod.set_owner(_room(call), _body_user(call, await call.json()), True, by=call.user)
    return _success("Member promoted to owner")


async def _demote(call: Call) -> dict[str, str]:
    call.pod.set_owner(_room(call), _body_user(call, await call.json()), False, by=call.user)
    return _success("Member demoted to participant")


async def _members(call: Call) -> list[dict[str, Any]]:
    return [place.view() for place in _room(call).members.values()]


async def _members_with_past(call: Call) -> list[dict[str, Any]]:
    room = _room(call)
    past = (
        [place for place in room.past_members if place.user.user_id not in room.members]
        if call.flag("includePastMembers")
        else []
    )
    return [place.view() for place in (*room.members.values(), *past)]


async def _search_rooms(call: Call) -> dict[str, Any]:
    query = await call.json()
    words = str(query.get("query") or "").lower()
    mine = [
        stream
        for stream in call.pod.streams.values()
        if stream.kind == "ROOM" and words in stream.name.lower()
    ]
    seen = [
        stream for stream in mine if call.user.user_id in stream.members or stream.attributes["discoverable"]
    ]
    skip, limit = call.count("skip", 0), call.count("limit", 50, 1000)
    rooms = [stream.room_detail() for stream in seen[skip : skip + limit]]
    return {
        "count": len(seen),
        "skip": skip,
        "limit": limit,
        "query": {"query": words},
        "rooms": rooms,
        "facetedMatchCount": [],
    }


# messages


async def _suppress(call: Call) -> dict[str, Any]:
    message = call.pod.message(call.part("id"))
    at = call.pod.suppress(message.message_id, by=call.user)
    return {"messageId": message.message_id, "suppressed": True, "suppressionDate": at}


async def _message_status(call: Call) -> dict[str, Any]:
    message = call.pod.message(call.part("mid"))
    others = [user for user in message.stream.users if user is not message.author]
    seen = message.stream.read_marks
    readers = [
        user.status(seen[user.user_id]) for user in others if seen.get(user.user_id, 0) >= message.timestamp
    ]
    shown = {
        "author": message.author.status(message.timestamp),
        "read": readers,
        "delivered": readers,
        "sent": [user.status(message.timestamp) for user in others],
    }
    return _with_numbers(shown) if call.pod.faults.take("other_json_types", call.route.name) else shown


def _with_numbers(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_numbers(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: int(item) if key in ("userId", "timestamp") else _with_numbers(item)
        for key, item in value.items()
    }


async def _receipts(call: Call) -> dict[str, Any]:
    message = call.pod.message(call.part("id"))
    stream, author = message.stream, message.author
    details = [_receipt(message.timestamp, stream, user) for user in stream.users if user is not author]
    read = sum("readReceiptTimestamp" in detail for detail in details)
    return {
        "creator": {"id": author.user_id, "name": author.display_name},
        "creationDate": message.timestamp,
        "stream": {"id": stream.stream_id, "name": stream.name, "streamType": stream.kind},
        "deliveryReceiptCount": len(details),
        "readReceiptCount": read,
        "emailNotificationCount": 0,
        "downloadReceiptCounts": [{"fileName": file.name, "count": 0} for file in message.files],
        "MessageReceiptDetail": details,
        "pagination": {"cursors": {"before": "0"}},
    }


def _receipt(sent_at: int, stream: Stream, user: User) -> dict[str, Any]:
    first, last = user.names
    who = {
        "id": user.user_id,
        "username": user.username,
        "firstName": first,
        "lastName": last,
        "emailAddress": user.email,
    }
    shown = {"user": who, "deliveryReceiptTimestamp": sent_at, "downloadReceiptCounts": []}
    read_at = stream.read_marks.get(user.user_id, 0)
    return {**shown, "readReceiptTimestamp": read_at} if read_at >= sent_at else shown


async def _relationships(call: Call) -> dict[str, Any]:
    message = call.pod.message(call.part("id"))
    replies = [other.message_id for other in message.stream.messages if other.parent_id == message.message_id]
    shown: dict[str, Any] = {
        "messageId": message.message_id,
        "replies": replies,
        "forwards": [],
        "formReplies": [],
    }
    if message.parent_id is not None:
        shown["parent"] = {"messageId": message.parent_id, "relationshipType": "REPLY"}
    return shown


# connections


async def _connections(call: Call) -> list[dict[str, Any]]:
    wanted = call.text("status").upper() or "ALL"
    only = {int(number) for number in call.text("userIds").split(",") if number.isdecimal()}
    return [
        shown
        for (owner, peer), shown in call.pod.connections.items()
        if owner == call.user.user_id and wanted in ("ALL", shown["status"]) and (not only or peer in only)
    ]


async def _connect(call: Call) -> dict[str, Any]:
    return await _set_connection(call, "PENDING_OUTGOING")


async def _accept_connection(call: Call) -> dict[str, Any]:
    return await _set_connection(call, "ACCEPTED")


async def _reject_connection(call: Call) -> dict[str, Any]:
    return await _set_connection(call, "REJECTED")


async def _set_connection(call: Call, status: str) -> dict[str, Any]:
    peer = _body_user(call, await call.json(), "userId")
    call.pod.connect(call.user, peer, status)
    return call.pod.connections[call.user.user_id, peer.user_id]


async def _connection(call: Call) -> dict[str, Any]:
    found = call.pod.connections.get((call.user.user_id, int(call.part("userId"))))
    if found is None:
        raise Refusal(404, "The connection was not found")
    return found


async def _remove_connection(call: Call) -> dict[str, str]:
    one, two = call.user.user_id, int(call.part("userId"))
    call.pod.connections.pop((one, two), None)
    call.pod.connections.pop((two, one), None)
    return _success("Connection removed")


# files and compliance


async def _allowed_types(call: Call) -> list[str]:
    return list(ALLOWED_TYPES)


async def _allowed_extensions(call: Call) -> dict[str, Any]:
    everywhere = {"scope_internal": True, "scope_external": True, "scope_xpod": True, "source": "SYSTEM"}
    return {
        "data": [{"extension": extension.lstrip("."), **everywhere} for extension in ALLOWED_TYPES],
        "paging": {"cursors": {"before": "0"}},
    }


async def _barriers(call: Call) -> list[dict[str, Any]]:
    return call.pod.compliance.barriers


async def _groups(call: Call) -> list[dict[str, Any]]:
    return list(call.pod.compliance.groups.values())


async def _group_members(call: Call) -> list[int]:
    members = call.pod.compliance.group_members.get(call.part("gid"))
    if members is None:
        raise Refusal(404, "The group was not found")
    return members


async def _disclaimers(call: Call) -> list[dict[str, Any]]:
    return list(call.pod.compliance.disclaimers.values())


def _disclaimer_of(call: Call, number: str | None) -> dict[str, Any]:
    found = call.pod.compliance.disclaimers.get(number or "")
    if found is None:
        raise Refusal(400, "The disclaimer was not found")
    return found


async def _disclaimer(call: Call) -> dict[str, Any]:
    return _disclaimer_of(call, call.part("did"))


async def _disclaimer_users(call: Call) -> list[int]:
    return [user.user_id for user in call.pod.users.values() if user.disclaimer_id == call.part("did")]


def _path_user(call: Call) -> User:
    return _known(call, int(call.part("uid")))


async def _user_disclaimer(call: Call) -> Any:
    number = _path_user(call).disclaimer_id
    return None if number is None else _disclaimer_of(call, number)


async def _set_disclaimer(call: Call) -> dict[str, str]:
    number = (await call.json()).get("id")
    _path_user(call).disclaimer_id = _disclaimer_of(call, number)["id"]
    return _success("Disclaimer updated")


async def _remove_disclaimer(call: Call) -> dict[str, str]:
    _path_user(call).disclaimer_id = None
    return _success("Disclaimer removed")


def _pod(name: str, method: str, path: str, handler: Any) -> Route:
    return Route(name, method, "/pod" + path, SESSION, handler)


ROUTES = (
    _pod("session.info", "GET", "/v2/sessioninfo", _session_info),
    _pod("user.lookup", "GET", "/v3/users", _users),
    _pod("im.create", "POST", "/v1/im/create", _create_im),
    _pod("im.create", "POST", "/v1/admin/im/create", _create_im_for_others),
    _pod("im.info", "GET", "/v1/im/{id}/info", _im_info),
    _pod("stream.info", "GET", "/v2/streams/{sid}/info", _stream_info),
    _pod("stream.list", "POST", "/v1/streams/list", _streams),
    _pod("stream.members", "GET", "/v1/admin/stream/{id}/membership/list", _stream_members),
    _pod("stream.attachments", "GET", "/v1/streams/{sid}/attachments", _stream_attachments),
    _pod("room.create", "POST", "/v3/room/create", _create_room),
    _pod("room.search", "POST", "/v3/room/search", _search_rooms),
    _pod("room.info", "GET", "/v3/room/{id}/info", _room_info),
    _pod("room.update", "POST", "/v3/room/{id}/update", _update_room),
    _pod("room.activate", "POST", "/v1/room/{id}/setActive", _set_active),
    _pod("room.activate", "POST", "/v1/admin/room/{id}/setActive", _set_active),
    _pod("room.members", "GET", "/v2/room/{id}/membership/list", _members),
    _pod("room.members.admin", "GET", "/v1/admin/room/{id}/membership/list", _members_with_past),
    _pod("room.member.add", "POST", "/v1/room/{id}/membership/add", _add_member),
    _pod("room.member.remove", "POST", "/v1/room/{id}/membership/remove", _remove_member),
    _pod("room.member.promote", "POST", "/v1/room/{id}/membership/promoteOwner", _promote),
    _pod("room.member.demote", "POST", "/v1/room/{id}/membership/demoteOwner", _demote),
    _pod("message.suppress", "POST", "/v1/admin/messagesuppression/{id}/suppress", _suppress),
    _pod("message.status", "GET", "/v1/message/{mid}/status", _message_status),
    _pod("message.receipts", "GET", "/v1/admin/messages/{id}/receipts", _receipts),
    _pod("message.relationships", "GET", "/v1/admin/messages/{id}/metadata/relationships", _relationships),
    _pod("connection.list", "GET", "/v1/connection/list", _connections),
    _pod("connection.create", "POST", "/v1/connection/create", _connect),
    _pod("connection.accept", "POST", "/v1/connection/accept", _accept_connection),
    _pod("connection.reject", "POST", "/v1/connection/reject", _reject_connection),
    _pod("connection.info", "GET", r"/v1/connection/user/{userId:\d+}/info", _connection),
    _pod("connection.remove", "POST", r"/v1/connection/user/{userId:\d+}/remove", _remove_connection),
    _pod("file.types", "GET", "/v1/files/allowedTypes", _allowed_types),
    _pod("file.extensions", "GET", "/file_ext/v1/allowed_extensions", _allowed_extensions),
    _pod("barrier.list", "GET", "/v1/admin/policy/list", _barriers),
    _pod("group.list", "GET", "/v1/admin/group/list", _groups),
    _pod("group.members", "GET", "/v1/admin/group/{gid}/membership/list", _group_members),
    _pod("disclaimer.list", "GET", "/v1/admin/disclaimer/list", _disclaimers),
    _pod("disclaimer.users", "GET", "/v1/admin/disclaimer/{did}/users", _disclaimer_users),
    _pod("disclaimer.info", "GET", "/v1/admin/disclaimer/{did}", _disclaimer),
    _pod("disclaimer.of", "GET", r"/v1/admin/user/{uid:\d+}/disclaimer", _user_disclaimer),
    _pod("disclaimer.set", "POST", r"/v1/admin/user/{uid:\d+}/disclaimer/update", _set_disclaimer),
    _pod("disclaimer.remove", "DELETE", r"/v1/admin/user/{uid:\d+}/disclaimer", _remove_disclaimer),
)
