"""Who and what exists in the mock pod: users, streams, messages, files, and how the API shows them.

Plain records and their JSON views; no I/O but the files' own bytes on disk, no clock. Field names and types
follow the agent (OpenAPI 3) and pod (Swagger 2) specifications; JSON integers for user ids and times, strings
for message and stream ids.
"""

from __future__ import annotations

import base64
import itertools
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from connectors.symphony.mock.markup import plain_text

HOME_TENANT = 190
"""The number of the mock's own company; users of other companies carry another."""
HOME_COMPANY = "Example Bank"

ROOM_FLAGS = {
    "membersCanInvite": True,
    "discoverable": False,
    "public": False,
    "readOnly": False,
    "copyProtected": False,
    "crossPod": False,
    "viewHistory": True,
    "multiLateralRoom": False,
    "scheduledMeeting": False,
}
"""Room attributes a caller may set, with their defaults."""


def normal_id(written_id: str) -> str:
    """A message or stream id in URL-safe form without padding; Symphony's screens show standard base64."""
    return written_id.replace("/", "_").replace("+", "-").rstrip("=")


class IdMint:
    """Makes ids that look like Symphony's: URL-safe base64 without padding, never the same twice."""

    def __init__(self) -> None:
        self._prefix = os.urandom(15)
        self._numbers = itertools.count(1)

    def next(self) -> str:
        """A fresh id of 28 characters."""
        return base64.urlsafe_b64encode(self._prefix + next(self._numbers).to_bytes(6, "big")).decode()

    def hex(self) -> str:
        """A fresh number in hexadecimal, for feed ids and file names."""
        return f"{next(self._numbers):x}"


@dataclass(eq=False)
class User:
    """An account: a person or a service account (bot)."""

    user_id: int
    username: str
    email: str
    display_name: str
    service: bool = False
    public_key_pem: str | None = None
    tenant: int = HOME_TENANT
    content_manager: bool = False
    key_revoked: bool = False
    company: str = HOME_COMPANY
    disclaimer_id: str | None = None
    _view: orjson.Fragment | None = None

    @property
    def names(self) -> tuple[str, str]:
        """First and last name."""
        first, _, last = self.display_name.partition(" ")
        return first, last

    def view(self) -> orjson.Fragment:
        """V4User; the user name of another company's user is not shown."""
        if self._view is None:
            self._view = orjson.Fragment(orjson.dumps(self._fields()))
        return self._view

    def _fields(self) -> dict[str, Any]:
        first, last = self.names
        shown = {
            "userId": self.user_id,
            "firstName": first,
            "lastName": last,
            "displayName": self.display_name,
        }
        shown["email"] = self.email
        if self.tenant == HOME_TENANT:
            shown["username"] = self.username
        return shown

    def profile(self) -> dict[str, Any]:
        """UserV2, as sessioninfo and the user search show it."""
        first, last = self.names
        return {
            "id": self.user_id,
            "emailAddress": self.email,
            "firstName": first,
            "lastName": last,
            "displayName": self.display_name,
            "company": self.company,
            "username": self.username if self.tenant == HOME_TENANT else "",
            "location": "",
            "accountType": "SYSTEM" if self.service else "NORMAL",
            "title": "",
            "avatars": [{"size": "original", "url": "../avatars/static/150/default.png"}],
            "roles": ["INDIVIDUAL"],
        }

    def status(self, timestamp: int) -> dict[str, str]:
        """MessageStatusUser: every value a string."""
        first, last = self.names
        return {
            "userId": str(self.user_id),
            "firstName": first,
            "lastName": last,
            "displayName": self.display_name,
            "email": self.email,
            "userName": self.username,
            "timestamp": str(timestamp),
        }


@dataclass(eq=False, slots=True)
class StoredFile:
    """An attachment: its bytes lie on disk."""

    file_id: str
    name: str
    content_type: str
    size: int
    path: Path

    def view(self) -> dict[str, Any]:
        """V4AttachmentInfo."""
        return {"id": self.file_id, "name": self.name, "size": self.size, "images": []}


@dataclass(eq=False, slots=True)
class Message:
    """One posted message; an edit is a message of its own that names the one it replaces."""

    message_id: str
    stream: Stream
    author: User
    timestamp: int
    presentation: str
    data: str | None
    files: tuple[StoredFile, ...]
    accepted_ns: int
    by_agent: bool
    user_agent: str
    parent_id: str | None = None
    replacing: str | None = None
    replaced_by: str | None = None
    initial_id: str | None = None
    initial_timestamp: int | None = None
    silent: bool | None = None
    suppressed_at: int | None = None
    disclaimer: str | None = None

    @property
    def text(self) -> str:
        """The words of the message without its tags."""
        return plain_text(self.presentation)

    def view(self) -> dict[str, Any]:
        """V4Message."""
        stream = self.stream
        shown: dict[str, Any] = {
            "messageId": self.message_id,
            "timestamp": self.timestamp,
            "message": self.presentation,
        }
        if self.data is not None:
            shown["data"] = self.data
        if self.files:
            shown["attachments"] = [file.view() for file in self.files]
        shown["user"] = self.author.view()
        shown["stream"] = stream.view()
        shown["externalRecipients"] = stream.external
        shown["userAgent"] = self.user_agent
        shown["originalFormat"] = "com.symphony.messageml.v2"
        shown["sid"] = self.message_id
        for key, value in self._rare_fields():
            if value is not None:
                shown[key] = value
        return shown

    def _rare_fields(self) -> tuple[tuple[str, Any], ...]:
        return (
            ("parentMessageId", self.parent_id),
            ("replacing", self.replacing),
            ("replacedBy", self.replaced_by),
            ("initialMessageId", self.initial_id),
            ("initialTimestamp", self.initial_timestamp),
            ("silent", self.silent),
            ("disclaimer", self.disclaimer),
        )


@dataclass(eq=False)
class Membership:
    """A user's place in a stream; `left_at` (ms) is set once the user is out."""

    user: User
    owner: bool
    joined_at: int
    left_at: int | None = None

    def view(self) -> dict[str, Any]:
        """MemberInfo."""
        return {"id": self.user.user_id, "owner": self.owner, "joinDate": self.joined_at}


@dataclass(eq=False)
class Stream:
    """A conversation: an IM between its members, or a room with a name and owners."""

    stream_id: str
    kind: str
    creator: User
    created_at: int
    attributes: dict[str, Any] = field(default_factory=dict)
    members: dict[int, Membership] = field(default_factory=dict)
    past_members: list[Membership] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    read_marks: dict[int, int] = field(default_factory=dict)
    active: bool = True
    last_message_at: int | None = None
    revision: int = 0
    _view: orjson.Fragment | None = None

    @property
    def name(self) -> str:
        """The room's name; empty for an IM."""
        return str(self.attributes.get("name", ""))

    @property
    def external(self) -> bool:
        """Whether members of another company are in it."""
        return any(place.user.tenant != HOME_TENANT for place in self.members.values())

    @property
    def users(self) -> list[User]:
        """The present members."""
        return [place.user for place in self.members.values()]

    def forget_view(self) -> None:
        """Drop the remembered JSON view; to be called after members or attributes changed."""
        self._view = None

    def view(self) -> orjson.Fragment:
        """V4Stream as real-time objects show it."""
        if self._view is None:
            self._view = orjson.Fragment(orjson.dumps(self.fields()))
        return self._view

    def fields(self, *, with_members: bool = False) -> dict[str, Any]:
        """V4Stream as a dict; members are shown where an IM is announced."""
        shown: dict[str, Any] = {
            "streamId": self.stream_id,
            "streamType": self.kind,
            "external": self.external,
        }
        if self.kind == "ROOM":
            shown["roomName"] = self.name
        shown["crossPod"] = bool(self.attributes.get("crossPod", self.external))
        shown["recipientTenantIds"] = sorted({user.tenant for user in self.users}) or [HOME_TENANT]
        if with_members:
            shown["members"] = [orjson.loads(bytes(orjson.dumps(user.view()))) for user in self.users]
        return shown

    def room_properties(self) -> dict[str, Any]:
        """V4RoomProperties."""
        flags = ("public", "copyProtected", "readOnly", "discoverable", "membersCanInvite", "crossPod")
        shown: dict[str, Any] = {flag: self.attributes[flag] for flag in flags}
        shown["name"] = self.name
        shown["description"] = self.attributes.get("description", "")
        shown["creatorUser"] = self.creator.view()
        shown["createdDate"] = self.created_at
        shown["external"] = self.external
        shown["keywords"] = self.attributes.get("keywords", [])
        shown["canViewHistory"] = self.attributes["viewHistory"]
        return shown

    def room_detail(self) -> dict[str, Any]:
        """V3RoomDetail."""
        return {"roomAttributes": self.attributes, "roomSystemInfo": self.system_info()}

    def system_info(self) -> dict[str, Any]:
        """RoomSystemInfo."""
        return {
            "id": self.stream_id,
            "creationDate": self.created_at,
            "createdByUserId": self.creator.user_id,
            "active": self.active,
        }

    def old_room_detail(self) -> dict[str, Any]:
        """RoomDetail, the first version's shape, still the answer of setActive."""
        first = ("name", "description", "membersCanInvite", "discoverable")
        fixed = ("public", "readOnly", "copyProtected")
        return {
            "roomAttributes": {key: self.attributes[key] for key in first if key in self.attributes},
            "roomSystemInfo": self.system_info(),
            "immutableRoomAttributes": {key: self.attributes[key] for key in fixed},
        }

    def info(self) -> dict[str, Any]:
        """V2StreamAttributes."""
        shown = self.listed()
        shown["origin"] = "EXTERNAL" if self.external else "INTERNAL"
        if self.last_message_at is not None:
            shown["lastMessageDate"] = self.last_message_at
        return shown

    def listed(self) -> dict[str, Any]:
        """StreamAttributes, an item of streams/list."""
        shown: dict[str, Any] = {
            "id": self.stream_id,
            "crossPod": bool(self.attributes.get("crossPod", self.external)),
        }
        shown["active"] = self.active
        shown["streamType"] = {"type": self.kind}
        if self.kind == "ROOM":
            shown["roomAttributes"] = {"name": self.name}
        else:
            shown["streamAttributes"] = {"members": [user.user_id for user in self.users]}
        return shown
