"""`weighbridge init`: a folder that is ready for a bank's own values.

Rules of this file: nothing that exists is ever touched; a secret is written to its file (mode 600) and not
printed. The public half of the bot's key is printed, because a person has to carry it to the pod.
"""

from __future__ import annotations

import base64
import functools
import os
import re
import secrets
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from bridge import config
from bridge.errors import ConfigError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from yaml import MappingNode, Node

    from bridge.ledger.checkpoint import Signer

KEY_BITS = 4096  # Symphony asks for RSA of at least 2048 bits
SETTINGS = "weighbridge.toml"
LANES = 1  # what the settings have that init writes
FILES = {  # setting: where init puts it
    "ledger.key_file": "secrets/checkpoint-key",
    "symphony.private_key_file": "secrets/symphony-key.pem",
    "weixin.secret_file": "secrets/weixin-secret",
    "weixin.token_file": "secrets/weixin-token",
    "weixin.aes_key_file": "secrets/weixin-aes-key",
}
STORE_KEY = "secrets/store-key"
PUBLIC_KEY = "secrets/symphony-public.pem"
CHECKPOINT_KEY = "secrets/checkpoint-key.pub"
FOLDERS = ("secrets", "blobs", "policies")
ACTS = ("redact", "hold", "block")
ACTING = ("attachments", "barriers", "consent", "disclaimers", "kinds")  # sections that know no mode
WATCHING = "# This acts as soon as it is no comment; rules can be watched first.\n"

NEXT = """\
Wrote {folder}: settings, keys, and policies {mode}.

1. Give this public key to the administrator of your Symphony pod, for the service account "{username}"
   (it is also in {folder}/secrets/symphony-public.pem):

{public_key}
2. In the WeCom console (customer service, receive messages) enter the callback address, with the token from
   {folder}/secrets/weixin-token and the EncodingAESKey from {folder}/secrets/weixin-aes-key.
3. Put the application's secret into {folder}/secrets/weixin-secret.
4. Give this public key to whoever checks the record without trusting this host: checkpoints of the ledger are
   signed with its other half (it is also in {folder}/secrets/checkpoint-key.pub):

{checkpoint_key}
5. Keep a copy of {folder}/secrets/store-key apart from the backups of the store: everything at rest is sealed
   by it, and lost with it.
6. Fill in what {folder}/weighbridge.toml still lacks. This says what:
   weighbridge --config {folder}/weighbridge.toml doctor"""


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=Path("."))
@click.option("--pod-url", help="Address of the Symphony pod.")
@click.option("--username", help="User name of the Symphony service account.")
@click.option("--corp-id", help="WeCom corporation id.")
@click.option("--enforce", is_flag=True, help="Let the shipped policies act; otherwise they only record.")
def init(folder: Path, pod_url: str | None, username: str | None, corp_id: str | None, enforce: bool) -> None:
    """Write settings, keys and policies into FOLDER (default: here). Never overwrites anything.

    The shipped policies are written in monitor mode: they record what they would do, and change nothing.
    """
    from bridge.keepers import KeyFile
    from bridge.store.signing import drawn, public_lines

    values = {"symphony.pod_url": pod_url, "symphony.username": username, "weixin.corp_id": corp_id}
    settings = config.sample({**FILES, **{key: value for key, value in values.items() if value}})
    config.parse(settings, {}, folder=folder, origin="init")
    policies = dict(shipped_policies(enforce=enforce))
    made = [SETTINGS, PUBLIC_KEY, STORE_KEY, CHECKPOINT_KEY, *FILES.values(), *policies]
    _refuse_existing(folder, made)
    for name in ("", *FOLDERS, *{str(Path(name).parent) for name in policies}):
        (folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)
    key, signer = _new_key(), drawn()
    for name, content in {**_secret_files(key, signer), SETTINGS: settings, **policies}.items():
        _write(folder / name, content)
    KeyFile(folder / STORE_KEY).renew()
    click.echo(
        NEXT.format(
            folder=folder,
            mode="in force" if enforce else "in monitor mode",
            username=username or "weighbridge",
            public_key=_public_pem(key),
            checkpoint_key=public_lines(signer, LANES),
        )
    )


def policy_source() -> Path:
    """Where the shipped policies are: in the checkout, or beside the installed package."""
    checkout = Path(__file__).resolve().parents[2] / "policies"
    return checkout if checkout.is_dir() else Path(sysconfig.get_path("data"), "share/weighbridge/policies")


def shipped_policies(*, enforce: bool) -> Iterator[tuple[str, str]]:
    """Name and text of every shipped policy file; those that will decide in monitor mode unless `enforce`."""
    source = policy_source()
    deciding = set() if enforce else set(source.glob("*.yaml"))
    for path in sorted(path for path in source.rglob("*") if path.is_file()):
        text = path.read_text(encoding="utf-8")
        yield f"policies/{path.relative_to(source)}", monitored(text) if path in deciding else text


@functools.lru_cache(maxsize=4)
def monitored(text: str) -> str:
    """The same policy with `mode: monitor` for `mode: enforce`, and its tests saying so; comments kept.

    A test of an enforced rule (`expect: hold`) becomes one of a rule that records (`would: hold`). Sections
    that act without a mode become comments. Everything else is left as it is written, byte for byte.
    """
    for node in reversed(_acting_tests(text)):
        start, end = node.start_mark.index, node.end_mark.index
        text = text[:start] + _monitored_test(text, node) + text[end:]
    text = _without_sections(text)
    return re.sub(r"\bmode:(\s*)enforce\b", r"mode:\1monitor", text)


def _without_sections(text: str) -> str:
    """`text` with every section of `ACTING` as a comment, under a line that says why."""
    import yaml

    lines = text.splitlines(keepends=True)
    tree = cast("MappingNode", yaml.compose(text, Loader=yaml.SafeLoader))
    for key, value in reversed(tree.value):
        if key.value in ACTING:
            start, end = key.start_mark.line, value.end_mark.line + bool(value.end_mark.column)
            section = [line if line.lstrip()[:1] in ("", "#") else f"# {line}" for line in lines[start:end]]
            lines[start:end] = [WATCHING, *section]
    return "".join(lines)


def _acting_tests(text: str) -> list[MappingNode]:
    """The tests, in order, that show a rule acting: `{ given: ..., expect: hold }`, written on one line."""
    import yaml

    nodes = list(_mappings(yaml.compose(text, Loader=yaml.SafeLoader)))
    return [
        node
        for node in nodes
        if node.flow_style
        and any(key.value == "given" for key, _ in node.value)
        and any(
            (key.value == "expect" and value.value in ACTS) or (key.value == "tags" and value.value)
            for key, value in node.value
        )
    ]


def _mappings(node: Node) -> Iterator[MappingNode]:
    """Every mapping of a YAML document, in the order of writing."""
    if node.id == "mapping":
        yield cast("MappingNode", node)
        for _, value in node.value:
            yield from _mappings(value)
    elif node.id == "sequence":
        for item in node.value:
            yield from _mappings(item)


def _monitored_test(text: str, node: MappingNode) -> str:
    """One test, as it reads when its rule only records: nothing is masked, tagged or decided."""
    pairs = []
    for key, value in node.value:
        written = text[value.start_mark.index : value.end_mark.index]
        if key.value == "expect" and written in ACTS:
            pairs += [f"would: {written}", "expect: deliver"]
        elif key.value not in ("becomes", "tags", "rule"):
            pairs.append(f"{key.value}: {written}")
    return "{ " + ", ".join(pairs) + " }"


def _refuse_existing(folder: Path, names: list[str]) -> None:
    existing = [
        f"{folder / name} exists already: init never overwrites" for name in names if (folder / name).exists()
    ]
    if existing:
        raise ConfigError(existing)


def _new_key() -> RSAPrivateKey:
    from cryptography.hazmat.primitives.asymmetric import rsa

    return rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)


def _public_pem(key: RSAPrivateKey) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def _secret_files(key: RSAPrivateKey, signer: Signer) -> dict[str, str]:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    from bridge.store.signing import public_lines

    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return {
        FILES["symphony.private_key_file"]: pem,
        PUBLIC_KEY: _public_pem(key),
        FILES["ledger.key_file"]: f"{signer.secret()}\n",
        CHECKPOINT_KEY: public_lines(signer, LANES),
        FILES["weixin.secret_file"]: "",
        FILES["weixin.token_file"]: secrets.token_hex(16) + "\n",
        FILES["weixin.aes_key_file"]: _aes_key() + "\n",
    }


def _aes_key() -> str:
    """An EncodingAESKey: base64 of 32 random bytes without its "=", and of letters and digits alone."""
    while True:
        key = base64.b64encode(secrets.token_bytes(32)).decode().rstrip("=")
        if key.isalnum():
            return key


def _write(path: Path, content: str) -> None:
    """Write a new file that only its owner may read; fails if somebody made it in the meantime."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(content)
