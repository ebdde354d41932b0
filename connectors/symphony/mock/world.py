"""The mock pod without its sockets: what people and bots do in it, and what everyone's feeds then say.

Every act checks its rights as the pod would and raises Refusal with the HTTP status a caller sees. Times come
from the pod's clock.
"""

from __future__ import annotations

import secrets
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import orjson

from connectors.symphony.mock.clock import PodClock, Signal, monotonic_ns
from connectors.symphony.mock.compliance import BLOCK, MESSAGES, ROOM_META, ComplianceDesk, DlpRule
from connectors.symphony.mock.directory import (
    HOME_COMPANY,
    HOME_TENANT,
    ROOM_FLAGS,
    IdMint,
    Membership,
    Message,
    StoredFile,
    Stream,
    User,
    normal_id,
)
from connectors.symphony.mock.faults import FaultBook
from connectors.symphony.mock.feeds import Feed, FeedDesk, PodEvent
from connectors.symphony.mock.markup import MarkupError, Person, plain_text, present, written
from connectors.symphony.mock.sessions import PREVIOUS_KEY_SECONDS, App, SessionDesk, new_key_pair

MAX_ATTACHMENT_BYTES = 30_000_000
"""All attachments of one message together."""
LONGEST_ROOM_NAME = 49
CLIENT_AGENT = "DESKTOP-60.0.0-Windows-Example-Client"
BOT_AGENT = "Agent-25.10.1-Linux-Example-Bot"

UserRef = User | int | str
"""A user, a user id, a user name or an e-mail address."""
StreamRef = Stream | str
"""A stream, a stream id or a room's name."""
FileBytes = tuple[str, str, bytes]
"""File name, media type, content."""


class Refusal(Exception):
    """The pod says no: HTTP status, message, and headers of the answer."""

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers or {}


class World:
    """Users, streams, messages and feeds of one mock pod, and the acts upon them."""

    def __init__(
        self,
        *,
        directory: Path,
        clock: PodClock,
        session_seconds: float,
        key_manager_seconds: float,
        feed_seconds: float,
        simplified_keys: bool,
        keep_messages: int | None,
        seed: int,
    ) -> None:
        self.directory = directory
        self.clock = clock
        self.faults = FaultBook(seed)
        self.feeds = FeedDesk(feed_seconds)
        self.sessions = SessionDesk(
            clock,
            session_seconds=session_seconds,
            key_manager_seconds=key_manager_seconds,
            simplified_keys=simplified_keys,
        )
        self.compliance = ComplianceDesk()
        self.mint = IdMint()
        self.apps: dict[str, App] = {}
        self.users: dict[int, User] = {}
        self.streams: dict[str, Stream] = {}
        self.arrivals: list[Message] = []
        self.forgotten_arrivals = 0
        self.news = Signal()
        self.connections: dict[tuple[int, int], dict[str, Any]] = {}
        self._keep_messages = keep_messages
        self._by_name: dict[str, User] = {}
        self._messages: dict[str, Message] = {}

    # people and accounts

    def add_user(
        self,
        username: str,
        email: str,
        display_name: str,
        service: bool = False,
        public_key_pem: str | None = None,
        *,
        tenant: int = HOME_TENANT,
        company: str = HOME_COMPANY,
        content_manager: bool = False,
    ) -> int:
        """Create an account and return its user id. Raises ValueError if the user name or e-mail is taken."""
        if username.lower() in self._by_name or email.lower() in self._by_name:
            raise ValueError(f"the user name {username!r} or the e-mail {email!r} is taken")
        user = User(
            (tenant << 36) + len(self.users) + 1,
            username,
            email,
            display_name,
            service,
            public_key_pem,
            tenant,
            content_manager,
            company=company,
        )
        self.users[user.user_id] = user
        self._by_name[username.lower()] = self._by_name[email.lower()] = user
        return user.user_id

    def add_bot(self, username: str, *, email: str | None = None, display_name: str | None = None) -> str:
        """Create a service account with a fresh key and return its private key in PEM."""
        private, public = new_key_pair()
        self.add_user(username, email or f"{username}@bank.example", display_name or username, True, public)
        return private

    def add_app(self, app_id: str) -> str:
        """Register an extension app that may act on behalf of users; returns its private key in PEM."""
        private, public = new_key_pair()
        self.apps[app_id] = App(app_id, public)
        return private

    def replace_key(self, user: UserRef) -> str:
        """Give a bot a new key and return it in PEM; the one before it still works for 72 hours."""
        owner = self.user(user)
        private, public = new_key_pair()
        if owner.public_key_pem:
            self.sessions.previous_keys[owner.user_id] = (
                owner.public_key_pem,
                self.clock.now() + PREVIOUS_KEY_SECONDS,
            )
        owner.public_key_pem = public
        return private

    def revoke_key(self, user: UserRef) -> None:
        """Revoke a bot's key: its sessions end and its logins are refused."""
        owner = self.user(user)
        owner.key_revoked = True
        self.sessions.previous_keys.pop(owner.user_id, None)
        self.sessions.end(owner)
        self.sessions.end_key_manager(owner)

    def restore_key(self, user: UserRef) -> None:
        """Undo `revoke_key`."""
        self.user(user).key_revoked = False

    def user(self, reference: UserRef) -> User:
        """The user meant. Raises Refusal 404."""
        found = self.find_user(reference)
        if found is None:
            raise Refusal(404, f"No user {reference}")
        return found

    def find_user(self, reference: UserRef) -> User | None:
        """The user meant, or None."""
        if isinstance(reference, User):
            return reference
        if isinstance(reference, int):
            return self.users.get(reference)
        named = self._by_name.get(reference.lower())
        return named if named is not None or not reference.isdecimal() else self.users.get(int(reference))

    def person(self, attribute: str, value: str) -> Person | None:
        """Whom a mention by `uid` or `email` means."""
        found = (
            self.find_user(int(value))
            if attribute == "uid" and value.isdecimal()
            else self._by_name.get(value.lower())
        )
        return Person(found.user_id, found.display_name) if found else None

    # streams

    def stream(self, reference: StreamRef) -> Stream:
        """The stream meant. Raises Refusal 404."""
        if isinstance(reference, Stream):
            return reference
        found = self.streams.get(normal_id(reference))
        if found is None:
            found = next((stream for stream in self.streams.values() if stream.name == reference), None)
        if found is None:
            raise Refusal(404, f"No stream {reference}")
        return found

    def streams_of(self, user: User) -> list[Stream]:
        """The streams the user is in, oldest first."""
        return [stream for stream in self.streams.values() if user.user_id in stream.members]

    def create_room(self, name: str, members: Sequence[UserRef], **attributes: Any) -> str:
        """Open a room for people; the first member creates and owns it. Returns the stream id."""
        creator, *others = [self.user(member) for member in members]
        stream = self.open_room(creator, {"name": name, "description": name, **attributes})
        for user in others:
            self.join(stream, user, by=creator)
        return stream.stream_id

    def open_room(self, creator: User, wanted: dict[str, Any]) -> Stream:
        """Create a room. Raises Refusal 400 for bad attributes, 451 for a name DLP blocks."""
        attributes = self._room_attributes(
            creator, {**ROOM_FLAGS, "keywords": [], "description": "", **_given(wanted)}, None
        )
        stream = self._open("ROOM", creator, [creator], attributes)
        stream.members[creator.user_id].owner = True
        self.tell(
            "ROOMCREATED",
            creator,
            stream,
            roomCreated={"stream": stream.view(), "roomProperties": stream.room_properties()},
        )
        return stream

    def update_room(self, by: User, stream: Stream, wanted: dict[str, Any]) -> None:
        """Change a room's attributes, as its owner. Raises Refusal."""
        self._need_owner(by, stream)
        stream.attributes = self._room_attributes(by, {**stream.attributes, **_given(wanted)}, stream)
        stream.forget_view()
        self.tell(
            "ROOMUPDATED",
            by,
            stream,
            roomUpdated={"stream": stream.view(), "newRoomProperties": stream.room_properties()},
        )

    def _room_attributes(
        self, by: User, attributes: dict[str, Any], present_stream: Stream | None
    ) -> dict[str, Any]:
        name = str(attributes.get("name") or "")
        _check_room(name, attributes)
        same = {
            "".join(stream.name.split()).lower()
            for stream in self.streams.values()
            if stream is not present_stream
        }
        if "".join(name.split()).lower() in same:
            raise Refusal(400, "A room with this name already exists")
        self._enforce(f"{name}\n{attributes.get('description', '')}", ROOM_META, by, present_stream)
        known = (*ROOM_FLAGS, "name", "description", "keywords", "pinnedMessageId", "subType")
        return {key: value for key, value in attributes.items() if key in known}

    def add_dlp_rule(
        self, name: str, pattern: str, action: str = BLOCK, data_type: str = MESSAGES
    ) -> DlpRule:
        """Let DLP look for a regular expression in messages (`Messages`) or room names (`RoomMeta`)."""
        return self.compliance.add_rule(
            name, pattern, action=action, data_type=data_type, now=self.clock.now_ms()
        )

    def create_im(self, members: Sequence[UserRef]) -> str:
        """The IM between exactly these users, made if there is none. Returns the stream id."""
        users = [self.user(member) for member in members]
        wanted = {user.user_id for user in users}
        for stream in self.streams.values():
            if stream.kind == "IM" and set(stream.members) == wanted:
                return stream.stream_id
        stream = self._open("IM", users[0], users, {})
        self.tell(
            "INSTANTMESSAGECREATED",
            users[0],
            stream,
            instantMessageCreated={"stream": stream.fields(with_members=True)},
        )
        return stream.stream_id

    def _open(self, kind: str, creator: User, users: Iterable[User], attributes: dict[str, Any]) -> Stream:
        now = self.clock.now_ms()
        stream = Stream(self.mint.next(), kind, creator, now, attributes)
        stream.members = {user.user_id: Membership(user, False, now) for user in users}
        self.streams[stream.stream_id] = stream
        return stream

    def join(self, stream: Stream, user: User, *, by: User) -> None:
        """Put a user into a room. Raises Refusal 403 if `by` may not."""
        place = stream.members.get(by.user_id)
        if place is None or not (place.owner or stream.attributes.get("membersCanInvite")):
            raise Refusal(403, "The user lacks the required entitlement to perform this operation")
        if user.user_id in stream.members:
            return
        stream.members[user.user_id] = Membership(user, False, self.clock.now_ms())
        stream.forget_view()
        self.tell(
            "USERJOINEDROOM",
            by,
            stream,
            userJoinedRoom={"stream": stream.view(), "affectedUser": user.view()},
        )

    def leave(self, stream: Stream, user: User, *, by: User) -> None:
        """Take a user out of a room: an owner may, and everyone for themselves. Raises Refusal."""
        if by is not user:
            self._need_owner(by, stream)
        place = stream.members.pop(user.user_id, None)
        if place is None:
            raise Refusal(400, "The user is not a member of the room")
        place.left_at = self.clock.now_ms()
        stream.past_members.append(place)
        stream.forget_view()
        told = {"stream": stream.view(), "affectedUser": user.view()}
        self.tell("USERLEFTROOM", by, stream, also=[user], userLeftRoom=told)

    def set_owner(self, stream: Stream, user: User, owner: bool, *, by: User) -> None:
        """Promote a member to owner, or demote one. Raises Refusal."""
        self._need_owner(by, stream)
        place = stream.members.get(user.user_id)
        if place is None:
            raise Refusal(400, "The user is not a member of the room")
        place.owner = owner
        told = {"stream": stream.view(), "affectedUser": user.view()}
        if owner:
            self.tell("ROOMMEMBERPROMOTEDTOOWNER", by, stream, roomMemberPromotedToOwner=told)
        else:
            self.tell("ROOMMEMBERDEMOTEDFROMOWNER", by, stream, roomMemberDemotedFromOwner=told)

    def set_active(self, stream: Stream, active: bool, *, by: User) -> None:
        """Close a room, or open it again. Raises Refusal."""
        self._need_owner(by, stream)
        stream.active = active
        if active:
            self.tell("ROOMREACTIVATED", by, stream, roomReactivated={"stream": stream.view()})
        else:
            bare = {"streamId": stream.stream_id, "streamType": stream.kind}
            self.tell("ROOMDEACTIVATED", by, stream, roomDeactivated={"stream": bare})

    def _need_owner(self, user: User, stream: Stream) -> None:
        place = stream.members.get(user.user_id)
        if place is None or not place.owner:
            raise Refusal(403, "The user lacks the required entitlement to perform this operation")

    # messages

    def say(
        self,
        user: UserRef,
        stream: StreamRef,
        text: str | None = None,
        messageml: str | None = None,
        attachments: Sequence[FileBytes] = (),
        reply_to: str | None = None,
        data: str | None = None,
    ) -> Message:
        """A person writes into a stream with the Symphony client: plain `text` or `messageml`, with files."""
        author, where = self.user(user), self.stream(stream)
        presentation, entities = self.composed(text, messageml, data)
        files = [self.store(name, kind, content) for name, kind, content in attachments]
        return self.post(author, where, presentation, entities, files, by_agent=False, parent_id=reply_to)

    def edit(self, message_id: str, text: str | None = None, messageml: str | None = None) -> Message:
        """The author changes a message with the Symphony client."""
        old = self.message(message_id)
        presentation, entities = self.composed(text, messageml, None)
        return self.replace(old, old.author, presentation, entities, [], by_agent=False)

    def composed(self, text: str | None, messageml: str | None, data: str | None) -> tuple[str, str | None]:
        """PresentationML and data of what a person wrote. Raises Refusal 400."""
        if (text is None) == (messageml is None):
            raise Refusal(400, "give either text or messageml")
        return (written(text), data) if text is not None else self.presented(messageml or "", data)

    def presented(self, message: str, data: str | None) -> tuple[str, str | None]:
        """PresentationML and entity data of what a caller sent. Raises Refusal 400."""
        try:
            return present(message, data, self.person)
        except MarkupError as fault:
            raise Refusal(400, str(fault)) from fault

    def post(
        self,
        author: User,
        stream: Stream,
        presentation: str,
        data: str | None,
        files: Sequence[StoredFile],
        *,
        by_agent: bool,
        **rare: Any,
    ) -> Message:
        """Put a message into a stream and tell all members' feeds, the author's too. Raises Refusal."""
        self._check_may_post(author, stream)
        rule = (
            self._enforce(plain_text(presentation), MESSAGES, author, stream)
            if self.compliance.rules
            else None
        )
        now = max(self.clock.now_ms(), stream.last_message_at or 0)
        message = Message(
            self.mint.next(),
            stream,
            author,
            now,
            presentation,
            data,
            tuple(files),
            monotonic_ns(),
            by_agent,
            BOT_AGENT if by_agent else CLIENT_AGENT,
            **rare,
        )
        if author.disclaimer_id is not None:
            message.disclaimer = self.compliance.disclaimers[author.disclaimer_id]["content"]
        self._keep(message)
        if rule is not None:
            self.compliance.record(rule, stream, author, now, message)
        self.tell(
            "MESSAGESENT",
            author,
            stream,
            message_id=message.message_id,
            messageSent={"message": message.view()},
        )
        return message

    def _check_may_post(self, author: User, stream: Stream) -> None:
        place = stream.members.get(author.user_id)
        if place is None:
            raise Refusal(403, "The user is not a member of the stream")
        if not stream.active:
            raise Refusal(403, "The room is deactivated")
        if stream.attributes.get("readOnly") and not place.owner:
            raise Refusal(403, "Only owners may write into a read-only room")

    def _enforce(self, text: str, data_type: str, user: User, stream: Stream | None) -> DlpRule | None:
        rule = self.compliance.caught(text, data_type)
        if rule is None or rule.action != BLOCK:
            return rule
        self.compliance.record(rule, stream, user, self.clock.now_ms())
        raise Refusal(451, "Compliance Issues found in message or file")

    def _keep(self, message: Message) -> None:
        stream = message.stream
        stream.messages.append(message)
        stream.last_message_at = message.timestamp
        self._messages[message.message_id] = message
        self.arrivals.append(message)
        if self._keep_messages is not None and len(self.arrivals) >= 2 * self._keep_messages:
            self._forget_oldest(self._keep_messages)

    def _forget_oldest(self, count: int) -> None:
        for message in self.arrivals[:count]:
            self._messages.pop(message.message_id, None)
            for file in message.files:
                file.path.unlink(missing_ok=True)
        for stream in {message.stream for message in self.arrivals[:count]}:
            stream.messages = [message for message in stream.messages if message.message_id in self._messages]
        del self.arrivals[:count]
        self.forgotten_arrivals += count

    def replace(
        self,
        old: Message,
        author: User,
        presentation: str,
        data: str | None,
        files: Sequence[StoredFile],
        *,
        by_agent: bool,
        silent: bool = True,
    ) -> Message:
        """Edit: post a message that replaces another of the same author. Raises Refusal 403 or 400."""
        if old.author is not author:
            raise Refusal(403, "Only the author of a message may update it")
        if old.suppressed_at is not None:
            raise Refusal(400, "The message has been suppressed")
        latest = self.latest(old)
        message = self.post(
            author,
            old.stream,
            presentation,
            data,
            files,
            by_agent=by_agent,
            replacing=latest.message_id,
            silent=silent,
            initial_id=latest.initial_id or latest.message_id,
            initial_timestamp=latest.initial_timestamp or latest.timestamp,
            parent_id=latest.parent_id,
        )
        latest.replaced_by = message.message_id
        return message

    def latest(self, message: Message) -> Message:
        """The last edit of a message, or the message itself."""
        while message.replaced_by is not None:
            message = self._messages[message.replaced_by]
        return message

    def suppress(self, message_id: str, by: UserRef | None = None) -> int:
        """Delete a message as its author or a content manager; returns the time in ms, 0 if done before."""
        message = self.message(message_id)
        actor = message.author if by is None else self.user(by)
        if actor is not message.author and not actor.content_manager:
            raise Refusal(403, "The user lacks the required entitlement to perform this operation")
        if message.suppressed_at is not None:
            return 0
        now = self.clock.now_ms()
        for version in self._versions(message):
            version.suppressed_at = now
        if actor is not message.author:
            self.compliance.note("suppressMessage", "Suppress message", actor, now)
        told = {"messageId": message.message_id, "stream": message.stream.view()}
        self.tell("MESSAGESUPPRESSED", actor, message.stream, messageSuppressed=told)
        return now

    def _versions(self, message: Message) -> list[Message]:
        """A message with all its edits, latest first."""
        versions = [self.latest(message)]
        while versions[-1].replacing in self._messages:
            versions.append(self._messages[versions[-1].replacing or ""])
        return versions

    def message(self, message_id: str) -> Message:
        """The message of that id, suppressed or not. Raises Refusal 404."""
        found = self.find_message(message_id)
        if found is None:
            raise Refusal(404, "Message not found")
        return found

    def find_message(self, message_id: str) -> Message | None:
        """The message of that id, suppressed or not, or None."""
        return self._messages.get(normal_id(message_id))

    def insert(
        self,
        author: User,
        stream: Stream,
        presentation: str,
        data: str | None,
        files: Sequence[StoredFile],
        timestamp: int,
    ) -> Message:
        """Import a message of the past: it takes its place in history, and no feed hears of it."""
        message = Message(
            self.mint.next(),
            stream,
            author,
            timestamp,
            presentation,
            data,
            tuple(files),
            monotonic_ns(),
            True,
            BOT_AGENT,
        )
        stream.messages.insert(bisect_right(stream.messages, timestamp, key=_timestamp), message)
        self._messages[message.message_id] = message
        return message

    def messages(self, stream: StreamRef) -> list[Message]:
        """What a reader sees now, oldest first: no suppressed message, no edit but the last."""
        return [
            message
            for message in self.stream(stream).messages
            if message.suppressed_at is None and not message.replaced_by
        ]

    def history(self, stream: Stream, since: int, until: int | None, skip: int, limit: int) -> list[Message]:
        """Messages with `since` <= timestamp <= `until` (ms), oldest first, suppressed ones left out."""
        first = bisect_left(stream.messages, since, key=_timestamp)
        last = len(stream.messages) if until is None else bisect_right(stream.messages, until, key=_timestamp)
        kept = (message for message in stream.messages[first:last] if message.suppressed_at is None)
        return [message for position, message in enumerate(kept) if skip <= position < skip + limit]

    def store(self, name: str, content_type: str, content: bytes) -> StoredFile:
        """Write an attachment's bytes to the pod's directory."""
        file = self.new_file(name, content_type)
        file.path.write_bytes(content)
        file.size = len(content)
        return file

    def new_file(self, name: str, content_type: str) -> StoredFile:
        """A file with an id and a place on disk, still empty."""
        file_id = self.mint.next()
        return StoredFile(f"internal_{file_id}", name, content_type, 0, self.directory / file_id)

    # connections between companies

    def connect(self, user: UserRef, other: UserRef, status: str = "ACCEPTED") -> None:
        """Set the connection between two users as `user` sees it; accepted ones count for both."""
        own, peer = self.user(user), self.user(other)
        mirror = {"PENDING_OUTGOING": "PENDING_INCOMING", "PENDING_INCOMING": "PENDING_OUTGOING"}.get(
            status, status
        )
        now = self.clock.now_ms()
        for one, two, seen in ((own, peer, status), (peer, own, mirror)):
            known = self.connections.get(
                (one.user_id, two.user_id), {"firstRequestedAt": now, "requestCounter": 0}
            )
            counter = known["requestCounter"] + (seen.startswith("PENDING"))
            self.connections[one.user_id, two.user_id] = {
                **known,
                "userId": two.user_id,
                "status": seen,
                "updatedAt": now,
                "requestCounter": max(1, counter),
            }
        self._tell_connection(own, peer, status)

    def _tell_connection(self, own: User, peer: User, status: str) -> None:
        if status == "PENDING_OUTGOING":
            self._publish(
                "CONNECTIONREQUESTED",
                own,
                {"connectionRequested": {"toUser": peer.view()}},
                [own, peer],
                "EXTERNAL",
            )
        elif status == "ACCEPTED":
            self._publish(
                "CONNECTIONACCEPTED",
                own,
                {"connectionAccepted": {"fromUser": peer.view()}},
                [own, peer],
                "EXTERNAL",
            )

    # events

    def tell(
        self,
        kind: str,
        initiator: User,
        stream: Stream,
        *,
        message_id: str | None = None,
        also: Iterable[User] = (),
        **payload: Any,
    ) -> None:
        """Publish an event to the members of a stream."""
        stream.revision += 1
        scope = "EXTERNAL" if stream.external else "INTERNAL"
        recipients = [*stream.users, *also]
        self._publish(kind, initiator, payload, recipients, scope, message_id)

    def tell_system(self, stream: StreamRef, source: str, subtype: str, parameters: dict[str, Any]) -> None:
        """Publish a GENERICSYSTEMEVENT, as Symphony's own federation does."""
        where = self.stream(stream)
        told = {
            "stream": where.view(),
            "eventTimestamp": self.clock.now_ms(),
            "sourceSystem": source,
            "eventSubtype": subtype,
            "parameters": parameters,
        }
        self.tell("GENERICSYSTEMEVENT", where.creator, where, genericSystemEvent=told)

    def submit_form(self, user: UserRef, form_message_id: str, form_id: str, values: dict[str, Any]) -> None:
        """A person presses a button of a form (Symphony Elements)."""
        message = self.message(form_message_id)
        told = {
            "stream": message.stream.view(),
            "formMessageId": message.message_id,
            "formId": form_id,
            "formValues": values,
        }
        self.tell("SYMPHONYELEMENTSACTION", self.user(user), message.stream, symphonyElementsAction=told)

    def _publish(
        self,
        kind: str,
        initiator: User,
        payload: dict[str, Any],
        recipients: Iterable[User],
        scope: str,
        message_id: str | None = None,
    ) -> None:
        envelope = {
            "id": secrets.token_hex(8),
            "messageId": message_id or self.mint.next(),
            "timestamp": self.clock.now_ms(),
            "type": kind,
            "initiator": {"user": initiator.view()},
            "payload": payload,
        }
        self.feeds.publish(
            PodEvent(kind, scope, orjson.Fragment(orjson.dumps(envelope))), recipients, self.clock.now()
        )
        self.news.ring()

    def new_feed(self, owner: User, tag: str | None) -> Feed:
        """Open a datafeed."""
        feed_id = f"{secrets.token_hex(16)}_f_{self.mint.hex()}"
        return self.feeds.open(Feed(feed_id, owner, tag, self.clock.now()))


def _given(attributes: dict[str, Any]) -> dict[str, Any]:
    """What is really set: some clients send every attribute they know, as null."""
    return {key: value for key, value in attributes.items() if value is not None}


def _timestamp(message: Message) -> int:
    return message.timestamp


def _check_room(name: str, attributes: dict[str, Any]) -> None:
    if not name.strip() or len(name) > LONGEST_ROOM_NAME:
        raise Refusal(400, f"A room name has 1 to {LONGEST_ROOM_NAME} characters")
    if attributes["public"] and not all(
        attributes[flag] for flag in ("viewHistory", "discoverable", "membersCanInvite")
    ):
        raise Refusal(400, "viewHistory, discoverable and membersCanInvite cannot be false in a public room")
    if attributes["crossPod"] and any(attributes[flag] for flag in ("readOnly", "public", "discoverable")):
        raise Refusal(400, "readOnly, public and discoverable cannot be true in a cross-pod room")
