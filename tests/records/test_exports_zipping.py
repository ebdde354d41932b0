"""ZIP files whose bytes follow from their content."""

from __future__ import annotations

import io
import zipfile

from bridge.records.exports.zipping import FIRST_MOMENT, zipped


class _Pipe(io.BytesIO):
    """A file that cannot go back."""

    def seekable(self) -> bool:
        return False

    def tell(self) -> int:
        raise OSError

    def seek(self, *_: object) -> int:
        raise OSError


def _made(file: io.BytesIO) -> bytes:
    with zipped(file) as place:
        place.add("條款/a.txt", [b"one", b"two"])
        with place.entry("empty") as entry:
            entry.write(b"")
    return file.getvalue()


def test_the_same_bytes_wherever_it_is_written() -> None:
    """No clock, no compression, no difference between a file and a pipe; a stranger can read it."""
    written = _made(io.BytesIO())
    assert written == _made(_Pipe())
    with zipfile.ZipFile(io.BytesIO(written)) as read:
        assert read.testzip() is None
        assert read.read("條款/a.txt") == b"onetwo"
        assert {entry.date_time for entry in read.infolist()} == {FIRST_MOMENT}
        assert {entry.compress_type for entry in read.infolist()} == {zipfile.ZIP_STORED}
