"""The pod's own compliance features that a bridge meets: DLP, audit trail, disclaimers, barriers.

Small but true to the specification's shapes. A DLP block is what an API caller sees as HTTP 451.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from connectors.symphony.mock.directory import Message, Stream, User

BLOCK, WARN, LOG_ONLY = "Block", "Warn", "LogOnly"
MESSAGES, ROOM_META = "Messages", "RoomMeta"
FIRST_POLICY_VERSION = "3.0"


@dataclass(frozen=True)
class DlpRule:
    """An expression filter: a pattern, what it applies to, and what happens to a text that matches."""

    policy_id: str
    name: str
    pattern: re.Pattern[str]
    action: str
    data_type: str
    created_at: int

    def policy(self) -> dict[str, Any]:
        """V3DLPPolicy with this one rule."""
        dictionary = {"dictId": f"dict-{self.policy_id}", "version": "1.0", "name": self.name[:30]}
        match = {"dictionaries": [dictionary], "countUniqueOccurrences": 1, "applicableFileTypes": []}
        rule = {
            "id": f"rule-{self.policy_id}",
            "type": "TEXT_MATCH",
            "name": self.name[:30],
            "textMatchConfig": match,
        }
        return {
            "id": self.policy_id,
            "policyId": self.policy_id,
            "version": FIRST_POLICY_VERSION,
            "name": self.name[:30],
            "scopes": ["Internal", "External"],
            "active": True,
            "deleted": False,
            "systemPolicy": False,
            "creationDate": self.created_at,
            "lastUpdatedDate": self.created_at,
            "appliesTo": [{"dataType": self.data_type, "action": self.action, "rules": [rule]}],
        }


@dataclass(frozen=True)
class Violation:
    """A text that a DLP rule caught; the message exists only if the rule let it pass."""

    rule: DlpRule
    number: int
    stream: Stream | None
    requester: User
    at: int
    message: Message | None = None

    def view(self) -> dict[str, Any]:
        """V3DLPViolation."""
        return {
            "enforcementEventID": f"enforcement-{self.number}",
            "requesterId": self.requester.user_id,
            "version": "3.0",
            "entityID": self.stream.stream_id if self.stream else "",
            "createTime": self.at,
            "lastModified": self.at,
            "details": [{"policyId": self.rule.policy_id, "policyName": self.rule.name}],
            "action": self.rule.action,
            "outcome": {"type": self.rule.action},
            "ignoreDLPwarning": False,
        }

    def message_view(self) -> dict[str, Any]:
        """V3DLPViolationMessage."""
        shown: dict[str, Any] = {"violation": self.view()}
        if self.message is not None:
            shown["message"] = self.message.view()
        return shown

    def stream_view(self) -> dict[str, Any]:
        """V3DLPViolationStream."""
        shown: dict[str, Any] = {"violation": self.view()}
        if self.stream is not None:
            shown["stream"] = {
                "streamId": self.stream.stream_id,
                "name": self.stream.name,
                "active": self.stream.active,
            }
        return shown


@dataclass
class ComplianceDesk:
    """What the compliance officers of the mock pod have set up and can read."""

    rules: list[DlpRule] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)
    audit: list[dict[str, str]] = field(default_factory=list)
    disclaimers: dict[str, dict[str, Any]] = field(default_factory=dict)
    barriers: list[dict[str, Any]] = field(default_factory=list)
    groups: dict[str, dict[str, Any]] = field(default_factory=dict)
    group_members: dict[str, list[int]] = field(default_factory=dict)

    def add_rule(self, name: str, pattern: str, *, action: str, data_type: str, now: int) -> DlpRule:
        """Set up a DLP rule from a regular expression."""
        if action not in (BLOCK, WARN, LOG_ONLY):
            raise ValueError(f"a DLP action is {BLOCK}, {WARN} or {LOG_ONLY}, not {action!r}")
        rule = DlpRule(f"policy-{len(self.rules) + 1}", name, re.compile(pattern), action, data_type, now)
        self.rules.append(rule)
        return rule

    def caught(self, text: str, data_type: str) -> DlpRule | None:
        """The first rule the text falls under, blocking rules first."""
        hits = [rule for rule in self.rules if rule.data_type == data_type and rule.pattern.search(text)]
        return min(hits, key=lambda rule: rule.action != BLOCK, default=None)

    def record(
        self, rule: DlpRule, stream: Stream | None, user: User, at: int, message: Message | None = None
    ) -> None:
        """Keep a violation."""
        self.violations.append(Violation(rule, len(self.violations) + 1, stream, user, at, message))

    def note(self, action: str, name: str, user: User, at: int) -> None:
        """Keep a privileged act in the audit trail; every value a string, as the schema has it."""
        self.audit.append(
            {
                "action": action,
                "actionName": name,
                "timestamp": str(at),
                "initiatorId": str(user.user_id),
                "initiatorUsername": user.username,
                "initiatorEmailAddress": user.email,
            }
        )

    def add_disclaimer(self, name: str, content: str, now: int) -> str:
        """Set up a disclaimer and return its id."""
        number = f"disclaimer-{len(self.disclaimers) + 1}"
        self.disclaimers[number] = {
            "id": number,
            "name": name,
            "content": content,
            "frequencyInHours": 24,
            "isDefault": False,
            "isActive": True,
            "createdDate": now,
            "modifiedDate": now,
            "format": "TEXT",
        }
        return number

    def add_group(self, name: str, members: list[int], now: int) -> str:
        """Set up an information barrier group and return its id."""
        number = f"group-{len(self.groups) + 1}"
        self.groups[number] = {
            "id": number,
            "name": name,
            "active": True,
            "memberCount": len(members),
            "policies": [],
            "createdDate": now,
            "modifiedDate": now,
        }
        self.group_members[number] = members
        return number

    def add_barrier(self, groups: list[str], now: int) -> str:
        """Forbid talk between groups; returns the policy's id."""
        number = f"barrier-{len(self.barriers) + 1}"
        count = sum(len(self.group_members[group]) for group in groups)
        self.barriers.append(
            {
                "id": number,
                "policyType": "BLOCK",
                "active": True,
                "memberCount": count,
                "groups": groups,
                "createdDate": now,
                "modifiedDate": now,
            }
        )
        for group in groups:
            self.groups[group]["policies"].append(number)
        return number
