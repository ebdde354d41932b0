"""What the Symphony connector has to be told.

Rules of this file: one value, no I/O. Secrets never appear in a `repr`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class SymphonySettings:
    """Where the pod is, who we are there, and how patient we are. Times are in seconds.

    URLs are origins without the platform's own paths (`https://acme.symphony.com`); what is left empty is
    served by the pod. `private_key` is the PEM text (PKCS#1 or PKCS#8) of the service account's RSA key.
    `headers` are sent with every request, for gateways in front of an agent; they may hold secrets.
    `tag` names our datafeeds, at most 100 characters. `ca_file` is a PEM bundle to trust instead of the
    system's. `poll_timeout` must exceed the agent's long poll of 30 s by a margin.
    `overlap` is how far before a stream's last known message a backfill starts: feeds do not keep order.
    `sign_in_patience` is how long refused credentials count as an outage of the login service.
    """

    pod_url: str
    username: str
    private_key: str = field(repr=False)
    agent_url: str = ""
    login_url: str = ""
    key_manager_url: str = ""
    tag: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    proxy: str = field(default="", repr=False)
    ca_file: str = ""
    connect_timeout: float = 10.0
    request_timeout: float = 60.0
    send_timeout: float = 180.0
    poll_timeout: float = 45.0
    first_pause: float = 0.5
    longest_pause: float = 60.0
    sign_in_pause: float = 30.0
    sign_in_patience: float = 900.0
    overlap: float = 120.0
    max_file_bytes: int = 30_000_000
    update_presence: bool = True

    @property
    def pod(self) -> str:
        """Origin of the pod."""
        return self.pod_url.rstrip("/")

    @property
    def agent(self) -> str:
        """Origin of the agent."""
        return (self.agent_url or self.pod_url).rstrip("/")

    @property
    def login(self) -> str:
        """Origin of the session login."""
        return (self.login_url or self.pod_url).rstrip("/")

    @property
    def key_manager(self) -> str:
        """Origin of the key manager login."""
        return (self.key_manager_url or self.pod_url).rstrip("/")
