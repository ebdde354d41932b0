"""Temporary media of the mock platform: files in a directory of its own, gone after 3 days of virtual time.

Rules of this file: an upload is streamed to disk piece by piece and a download is streamed from disk;
nothing is held whole in memory. Limits are those of documentation page 90253 (upload) and 94670 (what a
customer's media may weigh).
"""

import os
import shutil
import tempfile
import weakref
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from connectors.weixin.mock import codes
from connectors.weixin.mock.clock import VirtualClock
from connectors.weixin.mock.codes import ApiError
from connectors.weixin.mock.records import DAY

MIB = 1024 * 1024
LIFE = 3 * DAY
UPLOAD_BYTES = {"image": 10 * MIB, "voice": 2 * MIB, "video": 10 * MIB, "file": 20 * MIB}
INBOUND_BYTES = {"image": 2 * MIB, "voice": 2 * MIB, "video": 10 * MIB, "file": 20 * MIB}
SMALLEST = 6
_HEAD = 16


@dataclass(slots=True)
class Media:
    """One stored file. `kind` is image, voice, video or file."""

    media_id: str
    kind: str
    name: str
    path: Path
    size: int
    created_at: float

    @property
    def content_type(self) -> str:
        """Media type by the first bytes, as the download labels it."""
        with self.path.open("rb") as file:
            return sniff(file.read(_HEAD))


def sniff(head: bytes) -> str:
    """Media type of the few formats the platform treats specially; the rest is application/octet-stream."""
    signatures = (
        (b"\xff\xd8\xff", "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"GIF8", "image/gif"),
        (b"#!AMR", "audio/amr"),
        (b"%PDF-", "application/pdf"),
    )
    for start, label in signatures:
        if head.startswith(start):
            return label
    return "video/mp4" if head[4:8] == b"ftyp" else "application/octet-stream"


_EXTENSIONS = {
    "image/jpeg": ".jpg", "image/png": ".png", "image/gif": ".gif", "audio/amr": ".amr", "video/mp4": ".mp4",
}  # fmt: skip


def name_for(kind: str, data: bytes) -> str:
    """A file name for media that comes without one."""
    return kind + _EXTENSIONS.get(sniff(data[:_HEAD]), ".bin")


_UPLOAD_TYPES = {"image": {"image/jpeg", "image/png"}, "voice": {"audio/amr"}, "video": {"video/mp4"}}


class MediaStore:
    """Files by media id. Their directory goes with `close()`, with this object, or with the process."""

    def __init__(self, clock: VirtualClock, directory: Path | None = None) -> None:
        self._clock = clock
        self._directory = Path(tempfile.mkdtemp(prefix="mock-weixin-", dir=directory))
        self.close = weakref.finalize(self, shutil.rmtree, self._directory, ignore_errors=True)
        self._files: dict[str, Media] = {}
        self._count = 0

    def put(self, kind: str, name: str, data: bytes) -> Media:
        """Keep bytes that are in memory already (a test's or the chat page's small file)."""
        media = self._new(kind, name)
        media.path.write_bytes(data)
        media.size = len(data)
        return media

    async def receive(self, kind: str, name: str, pieces: AsyncIterator[bytes]) -> Media:
        """Keep an upload.

        Raises ApiError: 40004 kind, 45001 too large, 40006 too small, 40005 wrong format.
        """
        if kind not in UPLOAD_BYTES:
            raise ApiError(codes.MEDIA_TYPE_WRONG, f"type {kind}")
        media = self._new(kind, name)
        try:
            media.size = await _stream(media.path, pieces, UPLOAD_BYTES[kind])
            self._check_format(media)
        except ApiError:
            self._discard(media)
            raise
        return media

    def find(self, media_id: str) -> Media:
        """A file that is still there. Raises ApiError 40007 for an unknown or expired one."""
        media = self._files.get(media_id)
        if media is None:
            raise ApiError(codes.MEDIA_ID_WRONG, "unknown media_id")
        if self._clock.now() - media.created_at > LIFE:
            self._discard(media)
            raise ApiError(codes.MEDIA_ID_WRONG, "media_id expired")
        return media

    def _new(self, kind: str, name: str) -> Media:
        self._count += 1
        media_id = f"3{os.urandom(24).hex()}{self._count:06d}"
        media = Media(media_id, kind, name, self._directory / media_id, 0, self._clock.now())
        self._files[media_id] = media
        return media

    def _check_format(self, media: Media) -> None:
        if media.size < SMALLEST:
            raise ApiError(codes.FILE_SIZE_WRONG, f"a file has at least {SMALLEST} bytes")
        accepted = _UPLOAD_TYPES.get(media.kind)
        if accepted and media.content_type not in accepted:
            raise ApiError(
                codes.FILE_TYPE_WRONG, f"{media.kind} must be one of {', '.join(sorted(accepted))}"
            )

    def _discard(self, media: Media) -> None:
        self._files.pop(media.media_id, None)
        media.path.unlink(missing_ok=True)


async def _stream(path: Path, pieces: AsyncIterator[bytes], limit: int) -> int:
    """Write the pieces; read on past the limit, so that the client gets an answer and no cut connection."""
    size = 0
    with path.open("wb") as file:
        async for piece in pieces:
            size += len(piece)
            if size <= limit:
                file.write(piece)
    if size > limit:
        raise ApiError(codes.FILE_TOO_LARGE, f"over {limit} bytes")
    return size
