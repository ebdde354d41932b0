"""One mail for each conversation and day, which any mail program opens: no archive's own headers.

Rules of this file: pure. The mails are those of `globalrelay`, whose headers other archives ignore, with the
conversation's title as their subject and without the type that only that vendor assigns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bridge.records.exports.globalrelay import GLOBALRELAY
from bridge.records.transcript import Output, Request, Slice


class Eml:
    """See `Format`."""

    name = "eml"

    def write(
        self, request: Request, slices: Sequence[Slice], options: Mapping[str, object], out: Output
    ) -> None:
        """See `Format`."""
        GLOBALRELAY.write(request, slices, {"subject": "title", **options, "msgtype": ""}, out)


EML = Eml()
