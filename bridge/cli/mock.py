"""`weighbridge mock symphony|weixin`: the other side, on this machine, to try things on.

Rules of this file: options and waiting only; the mocks live with their connectors. The first line on
standard output says where the mock listens (`--json`: all facts as one object), so that scripts may wait.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

import click

from bridge.cli import output
from bridge.errors import ConfigError

if TYPE_CHECKING:
    from connectors.symphony.mock import SymphonyPod

Command = TypeVar("Command", bound=Callable[..., Any])
EXISTING = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.group()
def mock() -> None:
    """A Symphony pod or a Weixin platform on this machine, until Ctrl-C.

    \b
    weighbridge mock symphony --bot weighbridge \\
        --bot-key bank/secrets/symphony-public.pem
    weighbridge mock weixin --callback http://127.0.0.1:9471/weixin/callback \\
        --token-file bank/secrets/weixin-token \\
        --aes-key-file bank/secrets/weixin-aes-key
    """


def serving(port: int) -> Callable[[Command], Command]:
    """The options that both mocks take."""

    def decorate(command: Command) -> Command:
        for option in (
            output.json_option,
            click.option("--seed", default=0, show_default=True, help="Makes faults by chance repeatable."),
            click.option("--port", default=port, show_default=True, help="0 takes any free port."),
            click.option("--host", default="127.0.0.1", show_default=True),
        ):
            command = option(command)
        return command

    return decorate


@mock.command()
@serving(8101)
@click.option("--bot", default="weighbridge", show_default=True, help="User name of the service account.")
@click.option("--bot-key", type=EXISTING, help="Its public key, PEM. Without one, a key is made.")
@click.option("--bot-key-out", type=click.Path(path_type=Path), help="Where a made private key is written.")
@click.option(
    "--user", "users", multiple=True, default=["alice.wong@bank.example=Alice Wong"], show_default=True,
    metavar="EMAIL=NAME", help="A person with a chat window; may be given again.",
)  # fmt: skip
def symphony(
    host: str,
    port: int,
    seed: int,
    as_json: bool,
    bot: str,
    bot_key: Path | None,
    bot_key_out: Path | None,
    users: tuple[str, ...],
) -> None:
    """A Symphony pod with its agent and key manager on one port."""
    from connectors.symphony.mock import SymphonyPod

    require_free(host, port)

    async def serve() -> None:
        pod = SymphonyPod(seed=seed)
        _add_bot(pod, bot, bot_key, bot_key_out)
        names = [_add_person(pod, user) for user in users]
        async with pod.serve(port, host) as url:
            chats = {name: f"{url}/_mock/chat?user={quote(name)}" for name in names}
            await _until_told({"url": url, "bot": bot, "chats": chats}, as_json)

    asyncio.run(serve())


@mock.command()
@serving(8102)
@click.option(
    "--account", default="Wealth desk", show_default=True, help="Name of the customer service account."
)
@click.option(
    "--customer", "customers", multiple=True, default=["李雷"], show_default=True,
    metavar="NAME", help="A Weixin user with a chat window; may be given again.",
)  # fmt: skip
@click.option("--callback", help="Address that is called when somebody writes.")
@click.option("--token-file", type=EXISTING, help="Token that signs callbacks.")
@click.option("--aes-key-file", type=EXISTING, help="EncodingAESKey that encrypts callbacks.")
@click.option("--corp-id", default="ww1234567890abcdef", show_default=True)
@click.option("--secret-file", type=EXISTING, help="Secret of the application. Without it, mock-app-secret.")
def weixin(
    host: str,
    port: int,
    seed: int,
    as_json: bool,
    account: str,
    customers: tuple[str, ...],
    callback: str | None,
    token_file: Path | None,
    aes_key_file: Path | None,
    corp_id: str,
    secret_file: Path | None,
) -> None:
    """A WeCom platform with customer service (微信客服) and Weixin users."""
    from connectors.weixin.mock import WeixinPlatform

    if callback and not (token_file and aes_key_file):
        raise click.UsageError("--callback needs --token-file and --aes-key-file")
    require_free(host, port)

    async def serve() -> None:
        platform = WeixinPlatform(corpid=corp_id, seed=seed)
        if secret_file:
            platform.add_corp(corp_id, _content(secret_file))
        open_kfid = platform.add_account(account)
        people = {platform.add_customer(name): name for name in customers}
        if callback and token_file and aes_key_file:
            platform.set_callback(callback, _content(token_file), _content(aes_key_file))
        async with platform.serve(host, port) as url:
            facts = {"url": url, "corp_id": corp_id, "account": open_kfid}
            await _until_told(facts | {"chats": _chats(url, open_kfid, people)}, as_json)

    asyncio.run(serve())


def require_free(host: str, *ports: int) -> None:
    """Raise ConfigError for every port at which one cannot listen here, as somebody else does."""
    problems = []
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for port in ports:
        with socket.socket(family) as door:
            door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                door.bind((host, port))
            except OSError as error:
                why = str(error.strerror).lower()
                problems.append(
                    f"{host}:{port} cannot be listened on ({why}): choose another with --port, or any with "
                    "--port 0"
                )
    if problems:
        raise ConfigError(problems)


def _chats(url: str, open_kfid: str, people: dict[str, str]) -> dict[str, str]:
    """The chat window of every customer, by name."""
    return {
        name: f"{url}/_mock/chat?customer={quote(customer)}&account={quote(open_kfid)}"
        for customer, name in people.items()
    }


def _add_person(pod: SymphonyPod, user: str) -> str:
    email, separator, name = user.partition("=")
    if not separator or "@" not in email or not name:
        raise click.UsageError(f"--user {user}: write EMAIL=NAME")
    username = email.partition("@")[0]
    pod.add_user(username, email, name)
    return username


def _add_bot(pod: SymphonyPod, username: str, key: Path | None, out: Path | None) -> None:
    if key:
        pod.add_user(username, f"{username}@bank.example", username, True, _content(key))
        return
    private = pod.add_bot(username)
    if out:
        try:
            descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise ConfigError(f"{out} exists already: name another file in --bot-key-out") from None
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(private)


def _content(path: Path) -> str:
    return path.read_text(encoding="utf-8").strip()


async def _until_told(facts: dict[str, Any], as_json: bool) -> None:
    """Say where the mock is, and return at Ctrl-C or SIGTERM."""
    told = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    if as_json:
        output.json_line(facts)
    else:
        click.echo(f"listening on {facts['url']}")
        output.details(
            [(name, value) for name, value in facts.items() if name not in ("url", "chats")], as_json=False
        )
        output.details([(f"chat of {name}", link) for name, link in facts["chats"].items()], as_json=False)
    sys.stdout.flush()
    await told.wait()
