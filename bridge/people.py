"""Who may talk to whom: an advisor on Symphony and a contact on Weixin, and the chats they do it in.

Rules of this file: no SQL, no network. Ids bind, names do not: two contacts may have the same nickname.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from bridge.desk import signed
from bridge.errors import ConfigError
from bridge.message import Party
from bridge.ports import Acts

#: Ids of WeCom customer-service accounts and of external contacts (WeCom documentation, 92114 and 94670).
_CONTACT = re.compile(r"(wk[0-9A-Za-z_-]{1,62})/(w[mo][0-9A-Za-z_-]{1,62})")


@dataclass(frozen=True, slots=True)
class Pair:
    """Two people who may talk, and where: the advisor in `stream`, the contact with `account`.

    `stream` is a Symphony stream id; `account` a customer-service account (`open_kfid`).
    """

    advisor: Party
    stream: str
    contact: Party
    account: str

    def record(self) -> Mapping[str, object]:
        """The pair as the store keeps it."""
        return {
            "advisor": self.advisor.id,
            "stream": self.stream,
            "contact": f"{self.account}/{self.contact.id}",
            "advisor_name": self.advisor.name,
            "advisor_address": self.advisor.address,
            "advisor_language": self.advisor.language,
            "advisor_tags": sorted(self.advisor.tags),
            "contact_name": self.contact.name,
            "contact_language": self.contact.language,
            "contact_tags": sorted(self.contact.tags),
        }


def contact_key(text: str) -> tuple[str, str]:
    """Account and contact id from `wk.../wm...`; raises ConfigError when `text` is not that."""
    found = _CONTACT.fullmatch(text.strip())
    if not found:
        raise ConfigError(
            f"{text!r} is not a contact: write OPEN_KFID/EXTERNAL_USERID, as in wkAbc/wmXyz "
            "(`weighbridge review show` has it, for a message that was held as unpaired)"
        )
    return found[1], found[2]


async def pair(acts: Acts, two: Pair, person: str, reason: str) -> int:
    """Let two people talk; gives the pair's number.

    Raises Conflict when one of the two chats leads to somebody else already: a chat that leads to two
    places would sooner or later lead to the wrong one.
    """
    signed(person, reason)
    return await acts.make_pair(two.record(), person, reason)


async def unpair(acts: Acts, number: int, person: str, reason: str) -> None:
    """The two may no longer talk; what they said stays. Raises Conflict when the pair is not active."""
    signed(person, reason)
    await acts.end_pair(number, person, reason)
