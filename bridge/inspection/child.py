"""The limited process in which attachments are read: `python -I -m bridge.inspection.child CLAIMS LIMITS`.

Rules of this file: nothing of the file's content is looked at before the limits stand. The file comes open
on standard input; two lines of JSON go out: what it is, then all that was found. Whoever takes this process
over can compute for some seconds, write that answer and, where the kernel lets an ordinary process give its
network away, nothing else; docs/operations.md says what is held back and what is not.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys
from typing import BinaryIO

from bridge.inspection.bounds import OUT_OF_MEMORY, Full, Limits, Look, Unreadable
from bridge.inspection.contents import examine, identify, read

_NEW_USER_AND_NETWORK = 0x10000000 | 0x40000000
_NO_NEW_PRIVILEGES = 38
_NO_DUMPS = 4


def confine(limits: Limits) -> None:
    """Give up, for good, all that reading a file does not need."""
    kernel = ctypes.CDLL(None)
    kernel.unshare(_NEW_USER_AND_NETWORK)  # refused inside some containers: then the network is as it was
    kernel.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    kernel.prctl(_NO_DUMPS, 0, 0, 0, 0)
    seconds = int(limits.seconds) + 1
    for what, most in (
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_AS, limits.memory),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, 32),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (most, most))
    # Also when whoever started this is gone and nobody would end it.
    signal.alarm(seconds)


def look_into(file: BinaryIO, name: str, limits: Limits) -> None:
    """Write two lines about `file`: its type as soon as it is known, then everything."""
    kind, wrong = identify(file, name)
    _tell({"type": kind})
    look = Look(examine, limits.text)
    if wrong:
        look.cannot(wrong)
    try:
        read(file, kind, look)
    except Full:
        pass
    except Unreadable as reason:
        look.cannot(str(reason))
    _tell(
        {
            "type": kind,
            "encrypted": look.encrypted,
            "macros": look.macros,
            "text": look.text,
            "cut": look.cut,
            "unreadable": look.unreadable,
        }
    )


def _tell(answer: dict[str, object]) -> None:
    # Halves of characters, which files may hold, are no text that anybody could store.
    line = json.dumps(answer, ensure_ascii=False).encode("utf-8", "replace")
    sys.stdout.buffer.write(line + b"\n")
    sys.stdout.buffer.flush()


def main() -> None:
    """Look into standard input, as the two arguments say."""
    limits = Limits(**json.loads(sys.argv[2]))
    confine(limits)
    try:
        look_into(sys.stdin.buffer, f"file.{sys.argv[1]}", limits)
    except MemoryError:
        os._exit(OUT_OF_MEMORY)


if __name__ == "__main__":
    main()
