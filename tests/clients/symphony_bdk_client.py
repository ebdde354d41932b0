"""A bot written with the official Symphony client, run inside that client's own environment.

Reads its task as JSON from standard input (`host`, `port`, `username`, `privateKey`, `colleague`), prints one
JSON line per step to standard output, and leaves with 0 when all steps are done. It knows nothing of the
mock: only the client's documented calls appear here, the same for version 2 and version 3 of it.
"""

import asyncio
import base64
import json
import sys
import tempfile
from importlib import import_module
from pathlib import Path

from symphony.bdk.core.config.loader import BdkConfigLoader
from symphony.bdk.core.service.datafeed.real_time_event_listener import RealTimeEventListener
from symphony.bdk.core.service.message.model import Message
from symphony.bdk.core.symphony_bdk import SymphonyBdk

DEADLINE_SECONDS = 60
FILE_BYTES = "持仓 holdings\n".encode() * 700


def tell(step, **facts):
    """Print one step as a JSON line."""
    print(json.dumps({"step": step, **facts}), flush=True)


def room_attributes(name):
    """V3RoomAttributes: the two versions of the client keep the class in different modules."""
    for module in ("symphony.bdk.gen.pod_model.v3_room_attributes", "symphony.bdk.gen.pod_model"):
        try:
            return import_module(module).V3RoomAttributes(
                name=name, description="Conformance", members_can_invite=True
            )
        except (ImportError, AttributeError):
            continue
    raise SystemExit("this client has no V3RoomAttributes")


def items(answer):
    """A list of a generated model: version 2 wraps some lists in an object with `value`."""
    return answer if isinstance(answer, list) else list(answer.value)


def configuration(task):
    """The client's configuration for the task."""
    retry = {"maxAttempts": 3, "initialIntervalMillis": 50, "multiplier": 2, "maxIntervalMillis": 200}
    return {
        "scheme": "http",
        "host": task["host"],
        "port": task["port"],
        "bot": {"username": task["username"], "privateKey": {"content": task["privateKey"]}},
        "retry": retry,
        "datafeed": {"version": "v2", "retry": retry},
    }


class Listener(RealTimeEventListener):
    """Tells what arrives, and notes the first message."""

    def __init__(self):
        self.heard = asyncio.Event()

    async def on_message_sent(self, initiator, event):
        """A person wrote."""
        tell(
            "heard",
            text=event.message.message,
            author=initiator.user.username,
            stream=event.message.stream.stream_id,
        )
        self.heard.set()


async def work_in_room(bdk, task):
    """Create a room, fill it, send a message with a file into it, and read both back."""
    room = await bdk.streams().create_room(room_attributes("Conformance room"))
    stream = room.room_system_info.id
    people = await bdk.users().list_users_by_emails([task["colleague"]])
    colleague = items(people)[0] if not hasattr(people, "users") else people.users[0]
    tell("looked up", user=colleague.id, name=colleague.display_name)
    await bdk.streams().add_member_to_room(colleague.id, stream)
    members = items(await bdk.streams().list_room_members(stream))
    tell("members", ids=sorted(member.id for member in members))
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "holdings.txt"
        path.write_bytes(FILE_BYTES)
        with path.open("rb") as file:
            message = Message("<messageML>Your <b>holdings</b>, 李雷</messageML>", attachments=[file])
            sent = await bdk.messages().send_message(stream, message)
    tell("sent", id=sent.message_id, stream=stream)
    await read_back(bdk, stream, sent.message_id)
    return stream


async def read_back(bdk, stream, message_id):
    """Find the message in the history and download its file."""
    history = items(await bdk.messages().list_messages(stream))
    found = next(message for message in history if message.message_id == message_id)
    attachment = found.attachments[0]
    content = await bdk.messages().get_attachment(stream, message_id, attachment.id)
    same = base64.b64decode(content) == FILE_BYTES
    tell("read back", text=found.message, file=attachment.name, size=attachment.size, same=same)


async def main():
    """The whole task."""
    task = json.loads(sys.stdin.readline())
    async with SymphonyBdk(BdkConfigLoader.load_from_content(json.dumps(configuration(task)))) as bdk:
        listener = Listener()
        bdk.datafeed().subscribe(listener)
        loop = asyncio.create_task(bdk.datafeed().start())
        stream = await work_in_room(bdk, task)
        tell("listening", stream=stream)
        await asyncio.wait_for(listener.heard.wait(), DEADLINE_SECONDS)
        await bdk.datafeed().stop()
        await asyncio.wait_for(loop, DEADLINE_SECONDS)
    tell("done")


asyncio.run(main())
