"""The settings: one table, read from `weighbridge.toml` and the environment.

Rules of this file: the dataclasses below *are* the table. Every field carries its default, how it is
written and what it means; reading, the manual (`docs/settings.md`, made by `python -m bridge.config`) and
the file that `weighbridge init` writes all come from there. `parse` is pure: text and environment are
arguments. `load` and `unlock` are the only two that open files, and say so.

Two steps, because most commands need no network: `load` answers whether the file is well formed, `unlock`
whether it is complete enough to run, and reads the secrets. Both report every problem at once.

Secrets come from a file of their own (`secret_file = "..."`) or from the environment, never from the
settings file itself and never from a flag. They print as `***`.
"""

from __future__ import annotations

import difflib
import re
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import Field, dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qs, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bridge.errors import ConfigError

PREFIX = "WEIGHBRIDGE_"
ELSEWHERE = frozenset(
    {
        "WEIGHBRIDGE_CONFIG",
        "WEIGHBRIDGE_PERSON",
        "WEIGHBRIDGE_REASON",
        "WEIGHBRIDGE_CASE",
        "WEIGHBRIDGE_STORE_KEY",
    }
)  # ours in the environment, no settings
REMOVED: Mapping[str, str] = {}  # "section.key" of an older version: what to write instead

LANGUAGES = ("en", "zh-Hans", "zh-Hant")
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True)
class Place:
    """Where checkpoints are left. `kind`: folder, s3, rfc3161 or symphony; `name`: the path or address."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Secret:
    """A value nobody may see: kept in `file`, or already read into `value`. Prints as `***`."""

    file: Path | None = None
    value: str = field(default="", repr=False)

    def __repr__(self) -> str:
        return "Secret(***)" if self.file or self.value else "Secret(unset)"

    def reveal(self) -> str:
        """The value itself; raises ConfigError if `unlock` has not read it yet."""
        if not self.value:
            raise ConfigError("a secret was asked for before it was read: call bridge.config.unlock first")
        return self.value


# --- how values are written -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Form:
    """How a value is written. `read` makes it from TOML, and raises ValueError with what is wrong.

    `from_text` turns an environment variable into what TOML would have given. `read` also gets the folder
    of the settings file, against which relative paths are resolved.
    """

    name: str
    read: Callable[[Any, Path], Any]
    from_text: Callable[[str], Any] = str


def _text(value: Any, _folder: Path) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("write it as text in quotes, not empty")
    return value


def _path(value: Any, folder: Path) -> Path:
    return folder / Path(_text(value, folder)).expanduser()


def place(value: Any, folder: Path) -> Place:
    """A place of checkpoints, by how its name begins. Raises ValueError."""
    text = _text(value, folder)
    if text.startswith("s3://"):
        if not re.fullmatch(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[\w!.*'()/-]*)?", text, re.ASCII):
            raise ValueError("write s3://BUCKET or s3://BUCKET/PREFIX")
        return Place("s3", text.rstrip("/"))
    if text.startswith("rfc3161+"):
        if urlsplit(_proxy(text.removeprefix("rfc3161+"), folder)).query:
            raise ValueError("write the address without ?: it is shown to whoever asks for the status")
        return Place("rfc3161", text)
    if text.startswith("symphony:"):
        stream = text.removeprefix("symphony:").rstrip("=").replace("/", "_").replace("+", "-")
        if not re.fullmatch(r"[\w-]+", stream, re.ASCII):
            raise ValueError("write symphony: and the id of a stream")
        return Place("symphony", f"symphony:{stream}")
    if "://" in text:
        raise ValueError("write a folder, s3://BUCKET/PREFIX, rfc3161+https://ADDRESS or symphony:STREAM")
    return Place("folder", str(_path(text, folder)))


def _glob(value: Any, folder: Path) -> str:
    return str(_path(value, folder))


def _proxy(value: Any, folder: Path) -> str:
    parts = urlsplit(_text(value, folder))
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("write a whole address, like https://pod.bank.example")
    if parts.username or parts.password:
        raise ValueError("addresses carry no user name or password")
    return str(value).rstrip("/")


def _url(value: Any, folder: Path) -> str:
    address = _proxy(value, folder)
    parts = urlsplit(address)
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise ValueError("http:// is for this machine only: write https://")
    return address


def _database(value: Any, folder: Path) -> str:
    kind, _, rest = _text(value, folder).partition("://")
    if kind == "sqlite" and rest.startswith("/") and rest != "/":
        return f"sqlite:///{folder / Path(rest[1:]).expanduser()}"
    if kind == "postgresql" and _names_a_database(urlsplit(str(value))):
        return str(value)
    raise ValueError("write sqlite:///FILE, or postgresql://ROLE@HOST/DATABASE")


def _names_a_database(parts: SplitResult) -> bool:
    try:
        _ = parts.port
    except ValueError:
        return False
    return bool(parts.path.strip("/") or {"service", "dbname"} & parse_qs(parts.query).keys())


def _address(value: Any, folder: Path) -> tuple[str, int]:
    host, separator, port = _text(value, folder).rpartition(":")
    if not separator or not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError("write HOST:PORT, like 127.0.0.1:9470")
    return host.strip("[]"), int(port)


def _scanner(value: Any, folder: Path) -> str:
    kind, _, rest = str(value).partition(":") if isinstance(value, str) else ("", "", "")
    if value == "":
        return ""
    if kind == "unix" and rest:
        return f"unix:{folder / Path(rest)}"
    if kind == "tcp":
        _address(rest, folder)
        return str(value)
    raise ValueError("write unix:PATH, like unix:/run/clamav/clamd.ctl, or tcp:HOST:PORT")


def _web_path(value: Any, folder: Path) -> str:
    if not re.fullmatch(r"/[A-Za-z0-9/_.~-]*", _text(value, folder)):
        raise ValueError("write a path that begins with a slash, like /weixin/callback")
    return str(value)


def _zone(value: Any, folder: Path) -> str:
    try:
        return ZoneInfo(_text(value, folder)).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("write the name of a time zone, like Asia/Hong_Kong or UTC") from None


def _domain(value: Any, folder: Path) -> str:
    text = _text(value, folder)
    if not re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", text, re.ASCII):
        raise ValueError("write a domain in small letters, like weixin.bank.example")
    return text


def _region(value: Any, folder: Path) -> str:
    text = str(value)
    if not re.fullmatch(r"([A-Z]{2}(-[A-Z0-9]{1,3})?)?", text, re.ASCII):
        raise ValueError("write a code of ISO 3166 in capitals, like CN or US-NY")
    return text


def _origin(value: Any, folder: Path) -> str:
    whose, _, region = _text(value, folder).partition("=")
    if not re.fullmatch(r"(weixin|symphony|tag:\S+)", whose) or not region:
        raise ValueError("write weixin=CN, symphony=HK or tag:LABEL=HK")
    _region(region, folder)
    return f"{whose}={region}"


def _secret_file(value: Any, folder: Path) -> Secret:
    return Secret(file=_path(value, folder))


def _number(text: str) -> Any:
    """A number as TOML writes it; anything else stays text, for `read` to refuse."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def whole(low: int, high: int) -> Form:
    """A whole number within limits, both included."""

    def read(value: Any, _folder: Path) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f"write a whole number from {low} to {high}")
        return value

    return Form(f"whole number, {low} to {high}", read, _number)


def number(low: float, high: float) -> Form:
    """A number within limits, both included, with or without a fraction."""

    def read(value: Any, _folder: Path) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise ValueError(f"write a number from {low:g} to {high:g}")
        return float(value)

    return Form(f"number, {low:g} to {high:g}", read, _number)


def one_of(*words: str) -> Form:
    """One of a few words."""

    def read(value: Any, _folder: Path) -> str:
        if value not in words:
            raise ValueError("write one of " + ", ".join(words))
        return str(value)

    return Form("one of " + ", ".join(f"`{word}`" for word in words), read)


def several(form: Form) -> Form:
    """A list; in the environment, separated by commas."""

    def read(value: Any, folder: Path) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise ValueError("write a list in square brackets")
        return tuple(form.read(item, folder) for item in value)

    def from_text(text: str) -> list[Any]:
        return [form.from_text(item.strip()) for item in text.split(",") if item.strip()]

    return Form(f"list: {form.name}", read, from_text)


TEXT = Form("text", _text)
PATH = Form("path", _path)
PLACE = Form("folder, `s3://BUCKET/PREFIX`, `rfc3161+https://ADDRESS`, `symphony:STREAM`", place)
GLOBS = several(Form("path with `*`", _glob))
URL = Form("address", _url)
PROXY = Form("address", _proxy)
DATABASE = Form("`sqlite:///FILE` or `postgresql://ROLE@HOST/DATABASE`", _database)
ADDRESS = Form("`HOST:PORT`", _address)
SCANNER = Form("`unix:PATH` or `tcp:HOST:PORT`", _scanner)
WEB_PATH = Form("URL path", _web_path)
SECRET = Form("secret file", _secret_file)
LANGUAGE = one_of(*LANGUAGES)
ZONE = Form("time zone, like `Asia/Hong_Kong`", _zone)
DOMAIN = Form("domain", _domain)
REGION = Form("region (ISO 3166), like `CN`", _region)
ORIGIN = Form("`weixin=REGION`, `symphony=REGION` or `tag:LABEL=REGION`", _origin)


# --- the table ------------------------------------------------------------------------------------------


def setting(
    default: Any, form: Form, meaning: str, *, needed: bool = False, follows: str = "", shown: bool = True
) -> Any:
    """One row. `needed`: `run` asks for it. `follows`: the key whose value is used when this is unset.
    `shown`: whether its value may be part of a text about the settings."""
    metadata = {"form": form, "meaning": meaning, "needed": needed, "follows": follows}
    return field(default=default, repr=shown, metadata=metadata)


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """Where everything is written down."""

    url: str = setting(
        "sqlite:///weighbridge.db",
        DATABASE,
        "The database that holds archive, ledger and outbox. A server's password is not written here: see "
        "[PostgreSQL](operations.md#postgresql).",
        shown=False,
    )
    blobs: Path = setting(Path("blobs"), PATH, "Folder of archived attachments, write-once, sealed.")
    keeper: str = setting(
        "file",
        TEXT,
        "Who has the master key that everything is sealed by: `file`, `environment` "
        "(`WEIGHBRIDGE_STORE_KEY`), the name of an installed plugin, or `module:function`.",
    )
    key_file: Path = setting(Path("secrets/store-key"), PATH, "The master key, when a file keeps it.")
    lanes: int = setting(
        1, whole(1, 256), "Units of order and of lease, fixed when the store is made. This version works one."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """Signed checkpoints of the ledger, and where they are left."""

    key_file: Path = setting(
        Path("secrets/checkpoint-key"),
        PATH,
        "The key that signs checkpoints. `init` makes one, and so does a start without one; its public half "
        "is written beside it (`.pub`).",
    )
    anchors: tuple[Place, ...] = setting(
        (),
        several(PLACE),
        "Where checkpoints are left as well, best out of the reach of whoever runs this host: folders, "
        "buckets with Object Lock, time-stamping authorities, chat rooms. Empty: the folder `checkpoints` "
        "beside the database.",
    )
    every_seconds: float = setting(
        60.0, number(1, 60), "How often to sign a checkpoint, if anything was appended, in seconds."
    )
    witness_seconds: float = setting(
        3600.0,
        number(1, 86_400),
        "How often, at most, a time stamp is asked for and a room is written to, in seconds.",
    )
    tsa_roots: Path | None = setting(
        None, PATH, "Certificates (PEM) that those of time-stamping authorities must lead to."
    )
    s3_seconds: float = setting(
        600.0, number(1, 86_400), "How often, at most, a checkpoint is put into a bucket, in seconds."
    )
    s3_lock: str = setting(
        "governance",
        one_of("governance", "compliance"),
        "Who may lift the lock of a checkpoint in a bucket: whoever has a special right, or nobody.",
    )
    s3_days: int = setting(
        2557, whole(1, 36_500), "How long a checkpoint in a bucket stays locked, in days (2557: seven years)."
    )
    s3_endpoint: str = setting("", URL, "Address of an S3 other than Amazon's.")
    proxy: str = setting("", PROXY, "Proxy for everything to buckets and time-stamping authorities.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What may pass."""

    files: tuple[str, ...] = setting(("policies/*.yaml",), GLOBS, "Policy files.")
    activation: str = setting(
        "watch",
        one_of("watch", "approved"),
        "`watch`: a saved file that passes check and tests decides within two seconds. `approved`: only "
        "what another person approved decides (`weighbridge policy propose`); a file that differs is an "
        "alarm.",
    )
    approvals: int = setting(
        1, whole(1, 5), "How many people besides the proposer must approve a change of policy."
    )
    approvers: tuple[str, ...] = setting(
        (), several(TEXT), "Who may approve, by the names they act under. Empty: anybody but the proposer."
    )
    legal_approvers: tuple[str, ...] = setting(
        (),
        several(TEXT),
        "Who may approve for legal, which must agree where barriers, retention or legal holds are loosened.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Symphony:
    """The pod, and our service account there."""

    pod_url: str = setting("", URL, "Address of the pod, without a path.", needed=True)
    agent_url: str = setting("", URL, "Address of the agent.", follows="pod_url")
    login_url: str = setting("", URL, "Address where service accounts sign in.", follows="pod_url")
    key_manager_url: str = setting("", URL, "Address of the key manager.", follows="pod_url")
    username: str = setting("", TEXT, "User name of the service account.", needed=True)
    private_key: Secret = setting(
        Secret(), SECRET, "RSA private key (PEM) of the service account; `init` makes one.", needed=True
    )
    language: str = setting("en", LANGUAGE, "What notices to Symphony users are written in.")
    max_file_mb: int = setting(
        30, whole(1, 1000), "Larger attachments from Symphony are not carried, in MB (10⁶ bytes)."
    )
    proxy: str = setting("", PROXY, "Proxy for everything to Symphony, like http://proxy.bank.example:3128.")
    ca_file: Path | None = setting(
        None, PATH, "Certificates (PEM) to trust for Symphony instead of the system's."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Weixin:
    """WeCom customer service (微信客服), and the address at which it calls us."""

    api_url: str = setting("https://qyapi.weixin.qq.com", URL, "Address of the WeCom API.")
    corp_id: str = setting("", TEXT, "Corporation id (`ww…`), from the WeCom console.", needed=True)
    secret: Secret = setting(Secret(), SECRET, "Secret of the customer service application.", needed=True)
    token: Secret = setting(Secret(), SECRET, "Token that signs callbacks.", needed=True)
    aes_key: Secret = setting(
        Secret(), SECRET, "EncodingAESKey (43 characters) that encrypts callbacks.", needed=True
    )
    listen: tuple[str, int] = setting(
        ("127.0.0.1", 9471), ADDRESS, "Where callbacks arrive; a proxy with TLS stands before it."
    )
    path: str = setting("/weixin/callback", WEB_PATH, "URL path of the callback.")
    accounts: tuple[str, ...] = setting(
        (), several(TEXT), "Customer service accounts (`open_kfid`) to serve. Empty: all that we may see."
    )
    poll_seconds: float = setting(
        30.0, number(1, 3600), "How often to look for messages without being called, in seconds."
    )
    duplicate_errcodes: tuple[int, ...] = setting(
        (40058,), several(whole(-100, 9_999_999)), "Error codes that mean that this msgid was sent before."
    )
    max_file_mb: int = setting(
        30, whole(1, 1000), "Larger attachments from Weixin are not carried, in MB (10⁶ bytes)."
    )
    language: str = setting("zh-Hans", LANGUAGE, "What notices to Weixin users are written in.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Archives:
    """How archives outside are reached, which policies name under `archive`."""

    at_once: int = setting(4, whole(1, 64), "Copies on their way to each archive at the same time.")
    late_seconds: float = setting(
        3600.0, number(1, 604_800), "How long an archive may lack a copy before the alarm, in seconds."
    )
    check_sample: int = setting(
        25, whole(0, 10_000), "Copies that are read back from each archive every day. 0: none."
    )
    s3_endpoint: str = setting("", URL, "Address of an S3 other than Amazon's.")
    s3_proxy: str = setting("", PROXY, "Proxy for everything to buckets.")
    mail_sender: str = setting("", TEXT, "The address that letters to mailboxes come from.")
    mail_username: str = setting("", TEXT, "User name at the mail server. Empty: it asks for none.")
    mail_password: Secret = setting(Secret(), SECRET, "Password at the mail server.")
    mail_ca_file: Path | None = setting(
        None, PATH, "Certificates (PEM) to trust for mail servers instead of the system's."
    )
    mail_max_mb: int = setting(
        50,
        whole(1, 1000),
        "The largest letter that mail servers take, in MB (10⁶ bytes). Attachments are 37 % larger in it: "
        "for those of 30 MB (`max_file_mb`), 42 at least.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachments:
    """How attachments are looked into. Each is read by a limited process of its own."""

    clamav: str = setting("", SCANNER, "Where ClamAV's daemon answers. Empty: nothing is scanned.")
    seconds: float = setting(
        20.0, number(1, 600), "The longest a look into one attachment, or a scan, may take, in seconds."
    )
    memory_mb: int = setting(
        512, whole(256, 16_384), "Memory for a look into one attachment, in MB (2²⁰ bytes)."
    )
    text_characters: int = setting(
        500_000, whole(1000, 5_000_000), "Most text to read inside one attachment, in characters."
    )
    at_once: int = setting(2, whole(1, 64), "Attachments that are looked into at the same time.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Daemon:
    """The one process that runs the rooms."""

    http: tuple[str, int] = setting(
        ("127.0.0.1", 9470), ADDRESS, "Where /healthz, /readyz and /metrics answer."
    )
    log_level: str = setting(
        "info", one_of("debug", "info", "warning", "error"), "The least serious line to write."
    )
    log_format: str = setting("json", one_of("json", "console"), "One JSON object per line, or for people.")
    batch: int = setting(200, whole(1, 10_000), "Most messages a room takes at once.")
    concurrency: int = setting(16, whole(1, 1000), "Deliveries under way at once, per network.")
    attempts: int = setting(12, whole(1, 1000), "Attempts before a delivery is parked for a person.")
    retry_first_seconds: float = setting(
        2.0, number(0.01, 3600), "Wait before the second attempt; it doubles from there. In seconds."
    )
    retry_longest_seconds: float = setting(
        600.0, number(0.01, 86_400), "The longest wait between two attempts, in seconds."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """Looking things up in the archive."""

    reason: str = setting(
        "optional",
        one_of("optional", "required"),
        "Whether whoever looks at what people wrote must say why. On a terminal the command asks; without "
        "one, `required` refuses what comes without `--reason`.",
    )
    timezone: str = setting(
        "", ZONE, "The time zone of the desk, for times that are typed and shown. Empty: this machine's."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Exports:
    """What is handed over: under which addresses people appear, and what may leave a region."""

    address_domain: str = setting(
        "weixin.invalid",
        DOMAIN,
        "Domain of the addresses that people without a corporate one get in exports and archives, always the "
        "same for the same person. Use one of the firm's own: archives sort out what comes from others.",
    )
    origins: tuple[str, ...] = setting(
        ("weixin=CN",),
        several(ORIGIN),
        "Of which region a conversation's records are: by a label of its contact, else by a network of "
        "either end. The first that fits counts.",
    )
    walls: tuple[str, ...] = setting(
        ("CN",), several(REGION), "Regions whose records leave them only with the id of an approval."
    )
    region: str = setting(
        "",
        REGION,
        "The region that exports go to when neither the command nor the profile names one. Empty: not known, "
        "which counts as another region.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Assurance:
    """Whether anything is missing: daily certificates, canaries, and how long a network may go unread."""

    hour: int = setting(
        1, whole(0, 23), "The hour (UTC) from which on the day before is reconciled and certified."
    )
    folder: Path | None = setting(
        None,
        PATH,
        "Where certificates are left, a file for each run. Empty: the folder `certificates` beside the "
        "database. They are left in every folder of checkpoints as well.",
    )
    lag_alarm_seconds: float = setting(
        3600.0, number(60, 86_400), "How long a network may go unread before somebody is called, in seconds."
    )
    lag_stop_seconds: float = setting(
        14_400.0,
        number(60, 172_800),
        "How long before nothing more is passed on, in either direction, until it is read again. Weixin "
        "keeps messages for three days: stay far below.",
    )
    canary_room: str = setting(
        "", TEXT, "A Symphony stream for a daily marked message that must come back. Empty: none is posted."
    )
    canary_seconds: float = setting(
        300.0, number(1, 3600), "How long that message may take to come back, in seconds."
    )
    silent_days: int = setting(
        3, whole(1, 60), "Usual days in a row without a word after which a person, or a network, is reported."
    )
    weeks: int = setting(
        4, whole(2, 26), "How many weeks before a day say what is usual on that day of the week."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings. `origin` names the file they come from, "" when there is none."""

    store: Store = Store()
    ledger: Ledger = Ledger()
    policy: Policy = Policy()
    symphony: Symphony = Symphony()
    weixin: Weixin = Weixin()
    archives: Archives = Archives()
    attachments: Attachments = Attachments()
    daemon: Daemon = Daemon()
    audit: Audit = Audit()
    assurance: Assurance = Assurance()
    exports: Exports = Exports()
    origin: str = ""


SECTIONS: Mapping[str, type] = {
    part.name: type(part.default) for part in fields(Settings) if is_dataclass(part.default)
}


def rows() -> Iterator[tuple[str, Field[Any]]]:
    """The table: every section with each of its fields, in order."""
    for section, kind in SECTIONS.items():
        for row in fields(kind):
            yield section, row


def written_key(row: Field[Any]) -> str:
    """The key in the file: a secret's is the name of the file it is kept in."""
    return f"{row.name}_file" if row.metadata["form"] is SECRET else row.name


def variable(section: str, key: str) -> str:
    """The name in the environment that stands before the file."""
    return f"{PREFIX}{section}_{key}".upper()


# --- reading: pure --------------------------------------------------------------------------------------


def parse(
    text: str,
    environ: Mapping[str, str],
    *,
    folder: Path = Path(),
    origin: str = "weighbridge.toml",
    removed: Mapping[str, str] = REMOVED,
) -> Settings:
    """The settings that `text` (TOML) and `environ` give; raises ConfigError with all problems at once."""
    found = survey(text, environ, folder=folder, origin=origin, removed=removed)
    if found.problems:
        raise ConfigError(found.problems)
    return found.settings


@dataclass(frozen=True, slots=True)
class Survey:
    """Settings as far as they can be read: defaults stand for what cannot.

    `broken` has the (section, key) that `problems` are about.
    """

    settings: Settings
    problems: tuple[str, ...]
    broken: frozenset[tuple[str, str]]

    @property
    def sections(self) -> frozenset[str]:
        """The sections that are not to be relied on."""
        return frozenset(section for section, _ in self.broken)


def survey(
    text: str,
    environ: Mapping[str, str],
    *,
    folder: Path = Path(),
    origin: str = "weighbridge.toml",
    removed: Mapping[str, str] = REMOVED,
) -> Survey:
    """What `text` and `environ` give, and all that is wrong with it; raises ConfigError if it is no TOML."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{origin}: this is no TOML: {error}") from None
    reading = _Reading(text, document, environ, folder, origin)
    reading.refuse_strangers(removed)
    parts = {section: kind(**reading.section(section, kind)) for section, kind in SECTIONS.items()}
    settings = Settings(**parts, origin=origin)
    if settings.store.lanes != 1:
        reading.report("store", "lanes", "this version works one lane: write 1, or leave it out")
    if isinstance(written := document.get("store"), dict) and has_password(str(written.get("url"))):
        reading.report("store", "url", _NO_PASSWORD)
    if settings.assurance.lag_stop_seconds < settings.assurance.lag_alarm_seconds:
        reading.report("assurance", "lag_stop_seconds", "must not be less than lag_alarm_seconds")
    if not settings.ledger.tsa_roots and any(one.kind == "rfc3161" for one in settings.ledger.anchors):
        reading.report("ledger", "tsa_roots", _ROOTS)
    return Survey(settings, tuple(reading.problems), frozenset(reading.broken))


def has_password(address: str) -> bool:
    """Whether the address of a database holds a password: before the host, or as a parameter of libpq."""
    parts = urlsplit(address)
    return bool(parts.password) or not {"password", "sslpassword"}.isdisjoint(parse_qs(parts.query))


PASSWORD_PLACES = "put it into PGPASSFILE, PGPASSWORD or a service of libpq"
_NO_PASSWORD = f"a password is not written here: {PASSWORD_PLACES}"
_ROOTS = "is needed for rfc3161+ anchors: name a file of the certificates that you trust for time stamps"


class _Reading:
    """One pass over one document, collecting what is wrong."""

    def __init__(
        self, text: str, document: dict[str, Any], environ: Mapping[str, str], folder: Path, origin: str
    ) -> None:
        self.lines = _lines(text)
        self.document = document
        self.environ = environ
        self.folder = folder
        self.origin = origin
        self.problems: list[str] = []
        self.broken: set[tuple[str, str]] = set()

    def report(self, section: str, key: str, problem: str) -> None:
        """Note a problem at the place in the file where `section.key` is written."""
        line = self.lines.get((section, key)) or self.lines.get((section, ""))
        name = f"{section}.{key}" if key else f"[{section}]"
        self.broken.add((section, key))
        self.problems.append(f"{self.origin}{f':{line}' if line else ''}: {name}: {problem}")

    def refuse_strangers(self, removed: Mapping[str, str]) -> None:
        """Note every name that is no setting, in the file and in the environment."""
        for section, content in self.document.items():
            if section not in SECTIONS:
                self.report(section, "", "no such section" + _near(section, SECTIONS))
            elif not isinstance(content, dict):
                self.report(section, "", f"is a section: write [{section}] on a line of its own")
            else:
                self._refuse_strange_keys(section, content, removed)
        known = {variable(s, k) for s, row in rows() for k in {row.name, written_key(row)}} | ELSEWHERE
        for name in sorted(self.environ):
            if name.startswith(PREFIX) and name not in known:
                self.problems.append(f"environment: {name}: no such setting{_near(name, known)}")

    def _refuse_strange_keys(self, section: str, content: dict[str, Any], removed: Mapping[str, str]) -> None:
        known = {written_key(row) for row in fields(SECTIONS[section])}
        secret = {row.name for row in fields(SECTIONS[section]) if row.metadata["form"] is SECRET}
        for key in content:
            if key in known:
                continue
            if key in secret:
                self.report(section, key, f"secrets are not written here: name a file in {key}_file")
            elif successor := removed.get(f"{section}.{key}"):
                self.report(section, key, f"no longer exists: {successor}")
            else:
                self.report(section, key, "no such setting" + _near(key, known))

    def section(self, section: str, kind: type) -> dict[str, Any]:
        """The values of one section: from the environment, else from the file, else the default."""
        content = self.document.get(section, {})
        content = content if isinstance(content, dict) else {}
        values = {row.name: self._value(section, row, content) for row in fields(kind)}
        for row in fields(kind):
            values[row.name] = values[row.name] or values.get(row.metadata["follows"], values[row.name])
        return values

    def _value(self, section: str, row: Field[Any], content: dict[str, Any]) -> Any:
        form: Form = row.metadata["form"]
        key = written_key(row)
        if form is SECRET and (value := self.environ.get(variable(section, row.name))):
            return Secret(value=value)
        try:
            if (text := self.environ.get(variable(section, key))) is not None:
                return form.read(form.from_text(text), self.folder)
        except ValueError as problem:
            self.broken.add((section, key))
            self.problems.append(f"environment: {variable(section, key)}: {problem}")
            return row.default
        try:
            if key in content:
                return form.read(content[key], self.folder)
        except ValueError as problem:
            self.report(section, key, str(problem))
        return _resolved(row, self.folder)


def _resolved(row: Field[Any], folder: Path) -> Any:
    """The default, with relative paths resolved like written ones."""
    form: Form = row.metadata["form"]
    default: Any = row.default
    if default is None:
        return None
    if form in (PATH, DATABASE):
        return form.read(str(default), folder)
    if form is GLOBS:
        return form.read(list(default), folder)
    return default


def _near(name: str, known: Any) -> str:
    """The nearest name that exists, as the end of a sentence."""
    near = difflib.get_close_matches(name, sorted(known), n=1)
    return f"; did you mean {near[0]}?" if near else "; docs/settings.md lists them all"


def _lines(text: str) -> dict[tuple[str, str], int]:
    """Where sections and keys are written. Plain `[section]` and `key =` lines only: enough to point at."""
    found: dict[tuple[str, str], int] = {}
    section = ""
    for number_, line in enumerate(text.splitlines(), start=1):
        if header := re.match(r"\s*\[\s*([\w-]+)\s*\]", line):
            section = header[1]
            found.setdefault((section, ""), number_)
        elif key := re.match(r"\s*([\w-]+)\s*=", line):
            found.setdefault((section, key[1]) if section else (key[1], ""), number_)
    return found


# --- reading: files -------------------------------------------------------------------------------------


def load(path: Path, environ: Mapping[str, str]) -> Settings:
    """Read the settings file at `path`; raises ConfigError with all problems. Opens that one file."""
    return parse(_read(path), environ, folder=path.absolute().parent, origin=str(path))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(
            f"{path}: no such file: name yours with --config, or make one with `weighbridge init`"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {_cause(error)}") from None


def unlock(settings: Settings) -> Settings:
    """The same settings with every secret read, or ConfigError with all that is missing.

    A secret file must not be readable by everybody. Blank space around a secret does not belong to it.
    """
    found = _unlocked(settings)
    if found.problems:
        raise ConfigError(found.problems)
    return found.settings


def examine(path: Path, environ: Mapping[str, str]) -> Survey:
    """The settings at `path` with every secret read, as far as they go, and everything that is wrong.

    Raises ConfigError when the file cannot be read, or is no TOML.
    """
    written = survey(_read(path), environ, folder=path.absolute().parent, origin=str(path))
    found = _unlocked(written.settings, but=written.broken)
    return Survey(found.settings, written.problems + found.problems, written.broken | found.broken)


def _unlocked(settings: Settings, but: Set[tuple[str, str]] = frozenset()) -> Survey:
    """The settings with every secret read, but for those that are known to be broken."""
    problems: list[str] = []
    parts: dict[str, Any] = {}
    broken: set[tuple[str, str]] = set()
    for section in SECTIONS:
        part = getattr(settings, section)
        for row in fields(part):
            if (section, key := written_key(row)) in but:
                continue
            try:
                part = replace(part, **{row.name: _unlocked_value(settings, section, row)})
            except ConfigError as error:
                broken.add((section, key))
                problems += error.problems
        parts[section] = part
    return Survey(replace(settings, **parts), tuple(problems), frozenset(broken))


def _unlocked_value(settings: Settings, section: str, row: Field[Any]) -> Any:
    value = getattr(getattr(settings, section), row.name)
    if row.metadata["needed"] and value in ("", Secret()):
        raise ConfigError(_missing(settings.origin, section, row))
    if not isinstance(value, Secret) or not value.file or value.value:
        return value
    try:
        return replace(value, value=_read_secret(value.file))
    except ConfigError as error:
        raise ConfigError(
            [f"{section}.{written_key(row)}: {problem}" for problem in error.problems]
        ) from None


def _missing(origin: str, section: str, row: Field[Any]) -> str:
    return (
        f"{origin}: {section}.{written_key(row)}: is needed to run: {row.metadata['meaning']} "
        f"Write it in [{section}], or set {variable(section, row.name)}"
    )


def _read_secret(path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            if path.stat().st_mode & 0o007:
                raise ConfigError(f"{path} can be read by everybody: chmod 600 {path}")
            value = file.read().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {_cause(error)}") from None
    if not value:
        raise ConfigError(f"{path} is empty: put the secret into it")
    return value


def _cause(error: Exception) -> str:
    """Why a file cannot be read, without any of its content."""
    return (error.strerror or "no reason given") if isinstance(error, OSError) else "it is not UTF-8 text"


# --- writing: the manual and a first file ---------------------------------------------------------------


def _written(value: Any) -> str:
    """A default as TOML writes it."""
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[1], int):
        return f'"{value[0]}:{value[1]}"'
    if isinstance(value, tuple | list):
        return "[" + ", ".join(_written(item) for item in value) + "]"
    if value is None or isinstance(value, Secret):
        return '""'
    if isinstance(value, int | float):
        return f"{value:g}"
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


def sample(values: Mapping[str, Any]) -> str:
    """A commented settings file with `values` ("section.key": value) written in, all else at its default."""
    lines = ["# Settings of weighbridge. Lines that begin with # show defaults; docs/settings.md tells more."]
    for section, kind in SECTIONS.items():
        lines += ["", f"[{section}]"]
        for row in fields(kind):
            key = written_key(row)
            lines.append(f"# {row.metadata['meaning']}{' Needed.' if row.metadata['needed'] else ''}")
            given = values.get(f"{section}.{key}")
            lines.append(
                f"# {key} = {_written(row.default)}" if given is None else f"{key} = {_written(given)}"
            )
    return "\n".join(lines) + "\n"


def manual() -> str:
    """`docs/settings.md`: the table for people."""
    lines = [_MANUAL_HEAD]
    for section, kind in SECTIONS.items():
        lines += [f"\n## [{section}]\n\n{kind.__doc__}\n"]
        lines += ["| key | written as | default | meaning |", "|---|---|---|---|"]
        for row in fields(kind):
            form, follows = row.metadata["form"], row.metadata["follows"]
            default = "**needed**" if row.metadata["needed"] else f"`{_written(row.default)}`"
            default = f"as `{follows}`" if follows else default
            lines.append(f"| `{written_key(row)}` | {form.name} | {default} | {row.metadata['meaning']} |")
    return "\n".join(lines) + "\n"


_MANUAL_HEAD = """\
# Settings

<!-- Made by `python -m bridge.config > docs/settings.md`, kept true by a test: change bridge/config.py. -->

weighbridge reads `weighbridge.toml` in the working folder, or the file named by `--config` or
`WEIGHBRIDGE_CONFIG`. Relative paths are resolved against the folder of that file. A name that does not exist
is refused.

Every setting can be given in the environment instead, as `WEIGHBRIDGE_SECTION_KEY`, which wins over the
file: for example `WEIGHBRIDGE_DAEMON_LOG_LEVEL=debug`. Lists are separated by commas there.

A **secret file** holds one secret and nothing else, and is not readable by everybody (mode 600 or 640).
Instead of naming a file, the secret itself can be in the environment under the name without `_FILE`: for
example `WEIGHBRIDGE_WEIXIN_SECRET`. Secrets are never written into `weighbridge.toml`, never given as flags
and never printed.

Settings marked **needed** are asked for by `weighbridge run`; commands that talk to no network work without
them."""


if __name__ == "__main__":
    sys.stdout.write(manual())
