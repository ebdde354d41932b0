"""Settings: one table, read whole, refused whole."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from bridge import config
from bridge.config import Place, Secret, Settings
from bridge.errors import ConfigError

ROOT = Path(__file__).resolve().parents[1]
FOLDER = Path("/etc/weighbridge")

COMPLETE = """\
[symphony]
pod_url = "https://bank.symphony.example"
username = "weighbridge"
private_key_file = "secrets/key.pem"

[weixin]
corp_id = "ww1234567890abcdef"
secret_file = "secrets/secret"
token_file = "secrets/token"
aes_key_file = "secrets/aes"
"""


def parse(text: str = "", **environ: str) -> Settings:
    """Settings from text and environment, in a fixed folder."""
    return config.parse(text, environ, folder=FOLDER)


def problems(text: str = "", **environ: str) -> tuple[str, ...]:
    """What is wrong with text and environment."""
    with pytest.raises(ConfigError) as caught:
        parse(text, **environ)
    return caught.value.problems


def the_problem(text: str = "", **environ: str) -> str:
    """The one thing that is wrong."""
    found = problems(text, **environ)
    assert len(found) == 1, found
    return found[0]


# --- values ---------------------------------------------------------------------------------------------


def test_an_empty_file_gives_every_default() -> None:
    """Nothing has to be written for commands that talk to no network."""
    settings = parse()
    assert settings.daemon.http == ("127.0.0.1", 9470)
    assert settings.weixin.api_url == "https://qyapi.weixin.qq.com"
    assert settings.symphony.private_key == Secret()


def test_relative_paths_are_resolved_against_the_folder_of_the_file() -> None:
    """Where the daemon is started from makes no difference, for defaults and for written paths."""
    settings = parse('[policy]\nfiles = ["rules/*.yaml", "/srv/p.yaml"]\n[weixin]\ntoken_file = "t"')
    assert settings.store.url == "sqlite:////etc/weighbridge/weighbridge.db"
    assert settings.store.blobs == FOLDER / "blobs"
    assert settings.policy.files == ("/etc/weighbridge/rules/*.yaml", "/srv/p.yaml")
    assert settings.weixin.token.file == FOLDER / "t"
    assert parse().policy.files == ("/etc/weighbridge/policies/*.yaml",)


def test_unset_addresses_of_the_pod_follow_the_pod() -> None:
    """One address is enough for a pod that serves everything itself."""
    symphony = parse('[symphony]\npod_url = "https://a.example/"\nagent_url = "https://b.example"').symphony
    assert symphony.login_url == symphony.key_manager_url == symphony.pod_url == "https://a.example"
    assert symphony.agent_url == "https://b.example"


@pytest.mark.parametrize(
    ("name", "text", "section", "key", "value"),
    [
        ("WEIGHBRIDGE_DAEMON_BATCH", "7", "daemon", "batch", 7),
        ("WEIGHBRIDGE_WEIXIN_POLL_SECONDS", "2.5", "weixin", "poll_seconds", 2.5),
        ("WEIGHBRIDGE_WEIXIN_ACCOUNTS", "wk1, wk2", "weixin", "accounts", ("wk1", "wk2")),
        (
            "WEIGHBRIDGE_WEIXIN_DUPLICATE_ERRCODES",
            "95001,40097",
            "weixin",
            "duplicate_errcodes",
            (95001, 40097),
        ),
        ("WEIGHBRIDGE_DAEMON_HTTP", "0.0.0.0:80", "daemon", "http", ("0.0.0.0", 80)),
        ("WEIGHBRIDGE_ATTACHMENTS_CLAMAV", "tcp:scan:3310", "attachments", "clamav", "tcp:scan:3310"),
        ("WEIGHBRIDGE_ATTACHMENTS_CLAMAV", "unix:/run/c.ctl", "attachments", "clamav", "unix:/run/c.ctl"),
        ("WEIGHBRIDGE_WEIXIN_LISTEN", "[::1]:9471", "weixin", "listen", ("::1", 9471)),
        ("WEIGHBRIDGE_WEIXIN_TOKEN_FILE", "t", "weixin", "token", Secret(file=FOLDER / "t")),
        ("WEIGHBRIDGE_WEIXIN_TOKEN", "hush", "weixin", "token", Secret(value="hush")),
    ],
)
def test_the_environment_wins_over_the_file(name: str, text: str, section: str, key: str, value: Any) -> None:
    """Every kind of setting can be given as WEIGHBRIDGE_SECTION_KEY."""
    written = '[daemon]\nbatch = 5\nhttp = "127.0.0.1:1"\n[weixin]\npoll_seconds = 9\ntoken_file = "other"'
    assert getattr(getattr(parse(written, **{name: text}), section), key) == value


def test_settings_cannot_be_changed() -> None:
    """What was read at the start stays true until the end."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        parse().daemon.batch = 1  # type: ignore[misc]


# --- refusals -------------------------------------------------------------------------------------------


def test_all_problems_are_told_at_once() -> None:
    """Nobody mends one line only to hear about the next: file and environment together."""
    found = problems('[stroe]\n[daemon]\nbatch = 0\nhttp = "x"', WEIGHBRIDGE_DAEMON_ATTEMPTS="many")
    assert len(found) == 4


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[stroe]\nurl = "x"', "weighbridge.toml:1: [stroe]: no such section; did you mean store?"),
        ("[daemon]\n\nbach = 1", "weighbridge.toml:3: daemon.bach: no such setting; did you mean batch?"),
        (
            "[daemon]\nqqq = 1",
            "weighbridge.toml:2: daemon.qqq: no such setting; docs/settings.md lists them all",
        ),
        ("store = 1", "weighbridge.toml:1: [store]: is a section: write [store] on a line of its own"),
        ("[daemon]\nbatch = 0", "weighbridge.toml:2: daemon.batch: write a whole number from 1 to 10000"),
        ("[daemon]\nbatch = true", "weighbridge.toml:2: daemon.batch: write a whole number from 1 to 10000"),
        (
            '[weixin]\npoll_seconds = "5"',
            "weighbridge.toml:2: weixin.poll_seconds: write a number from 1 to 3600",
        ),
        (
            '[attachments]\nclamav = "/run/clamav/clamd.ctl"',
            "weighbridge.toml:2: attachments.clamav: write unix:PATH, like unix:/run/clamav/clamd.ctl, or "
            "tcp:HOST:PORT",
        ),
        ('[daemon]\nhttp = "9470"', "weighbridge.toml:2: daemon.http: write HOST:PORT, like 127.0.0.1:9470"),
        (
            '[daemon]\nhttp = "h:70000"',
            "weighbridge.toml:2: daemon.http: write HOST:PORT, like 127.0.0.1:9470",
        ),
        (
            '[weixin]\naccounts = "wk1"',
            "weighbridge.toml:2: weixin.accounts: write a list in square brackets",
        ),
        (
            '[weixin]\ncorp_id = ""',
            "weighbridge.toml:2: weixin.corp_id: write it as text in quotes, not empty",
        ),
        (
            "[weixin]\ncorp_id = 5",
            "weighbridge.toml:2: weixin.corp_id: write it as text in quotes, not empty",
        ),
        (
            '[symphony]\nlanguage = "zh"',
            "weighbridge.toml:2: symphony.language: write one of en, zh-Hans, zh-Hant",
        ),
        (
            '[ledger]\nanchors = ["rfc3161+https://tsa.example/tsr"]',
            "weighbridge.toml:1: ledger.tsa_roots: is needed for rfc3161+ anchors: name a file of the "
            "certificates that you trust for time stamps",
        ),
        (
            "[store]\nlanes = 4",
            "weighbridge.toml:2: store.lanes: this version works one lane: write 1, or leave it out",
        ),
    ],
)
def test_a_problem_has_its_place_and_its_remedy(text: str, expected: str) -> None:
    """File, line, setting, and what to write instead."""
    assert the_problem(text) == expected


@pytest.mark.parametrize(
    "url",
    [
        "pod.bank.example",
        "ftp://pod.bank.example",
        "http://pod.bank.example",
        "https://user:pw@pod.bank.example",
    ],
)
def test_addresses_that_would_leak_are_refused(url: str) -> None:
    """Plain http leaves this machine never, and no address carries a password; none is repeated."""
    problem = the_problem(f'[symphony]\npod_url = "{url}"')
    assert "symphony.pod_url" in problem
    assert "pw" not in problem


def test_a_proxy_may_be_plain_but_never_carries_a_password() -> None:
    """What goes through a proxy is encrypted to its end; the way to the proxy need not be."""
    assert parse('[symphony]\nproxy = "http://proxy.bank.example:3128"').symphony.proxy.endswith(":3128")
    assert "hush" not in the_problem('[symphony]\nproxy = "http://u:hush@proxy.bank.example"')


@pytest.mark.parametrize("url", ["http://127.0.0.1:8101", "http://localhost:8101", "http://[::1]:8101"])
def test_plain_http_is_for_this_machine(url: str) -> None:
    """The mocks on loopback need no certificate."""
    assert parse(f'[symphony]\npod_url = "{url}"').symphony.pod_url == url


@pytest.mark.parametrize(
    "url",
    ["mysql://u:hush@db/x", "postgresql://u:hush@db", "postgresql://db:no/x", "sqlite:///", "weighbridge.db"],
)
def test_a_store_that_is_not_spoken_is_refused(url: str) -> None:
    """Another database is refused at the start, and a password in its address not repeated."""
    problem = the_problem("", WEIGHBRIDGE_STORE_URL=url)
    assert "write sqlite:///FILE, or postgresql://ROLE@HOST/DATABASE" in problem
    assert "hush" not in problem


@pytest.mark.parametrize(
    "url",
    ["postgresql://w@db.bank.example/w", "postgresql:///w?host=/run/postgresql", "postgresql:///?service=w"],
)
def test_a_server_is_named_as_libpq_has_it(url: str) -> None:
    """Host and database, a socket's folder, or a service."""
    assert parse(f'[store]\nurl = "{url}"').store.url == url


@pytest.mark.parametrize("address", ["w:hush@db/w", "w@db/w?password=hush", "db/w?sslpassword=hush"])
def test_every_way_to_write_a_password_is_seen(address: str) -> None:
    """Before the host, and as a parameter of libpq."""
    assert config.has_password(f"postgresql://{address}")
    assert not config.has_password("postgresql://w@db/w?sslmode=verify-full")
    assert "PGPASSFILE" in the_problem(f'[store]\nurl = "postgresql://{address}"')


def test_a_password_stands_in_no_settings_file() -> None:
    """In the address of the store it is refused there; from the environment it is taken, and never shown."""
    url = "postgresql://w:hush@db.bank.example/w"
    problem = the_problem(f'[store]\nurl = "{url}"')
    assert "PGPASSFILE" in problem
    assert "hush" not in problem
    settings = parse("", WEIGHBRIDGE_STORE_URL=url)
    assert settings.store.url == url
    assert "hush" not in repr(settings)


@pytest.mark.parametrize(
    ("written", "kind", "name"),
    [
        ("kept", "folder", "/etc/weighbridge/kept"),
        ("/mnt/far", "folder", "/mnt/far"),
        ("s3://bank-witness", "s3", "s3://bank-witness"),
        ("s3://bank-witness/a/b/", "s3", "s3://bank-witness/a/b"),
        ("rfc3161+http://tsa.example:8080/tsr", "rfc3161", "rfc3161+http://tsa.example:8080/tsr"),
        ("symphony:ab+c/d__==", "symphony", "symphony:ab-c_d__"),
    ],
)
def test_places_of_checkpoints_are_told_apart(written: str, kind: str, name: str) -> None:
    """By how they begin; a stream's id in any of its spellings is the same room."""
    assert config.place(written, Path("/etc/weighbridge")) == Place(kind, name)


@pytest.mark.parametrize(
    "written",
    [
        *(
            "s3://Bank_Witness",
            "s3://b",
            "s3://",
            "https://tsa.example",
            "rfc3161+tsa.example",
            "ftp://anywhere",
        ),
        *("symphony:", "symphony:a b", "rfc3161+https://me:secret@tsa.example/tsr", ""),
        "rfc3161+https://tsa.example/tsr?key=secret",
    ],
)
def test_a_place_that_is_none_is_refused(written: str) -> None:
    """With what could be written instead."""
    with pytest.raises(ValueError, match=r"^(write|addresses carry no)"):
        config.place(written, Path("/"))


def test_broken_toml_is_told_with_its_place() -> None:
    """A file that is no TOML says where it stops being TOML."""
    assert "line 2" in the_problem("[daemon]\nbatch = = 1")


def test_unknown_names_in_the_environment_are_refused() -> None:
    """A misspelt variable is not silently ignored; other programs' variables are."""
    problem = the_problem("", WEIGHBRIDGE_DAEMON_BACH="1", HOME="/", WEIGHBRIDGE_CONFIG="x")
    assert problem == (
        "environment: WEIGHBRIDGE_DAEMON_BACH: no such setting; did you mean WEIGHBRIDGE_DAEMON_BATCH?"
    )


def test_removed_settings_answer_with_their_successor() -> None:
    """Who comes from an older version learns what to write now."""
    with pytest.raises(ConfigError) as caught:
        config.parse("[daemon]\nspeed = 1", {}, removed={"daemon.speed": "write daemon.batch"})
    assert caught.value.problems == (
        "weighbridge.toml:2: daemon.speed: no longer exists: write daemon.batch",
    )


def test_removed_settings_really_are_removed() -> None:
    """A name is either in the table or in the list of the removed."""
    known = {f"{section}.{config.written_key(row)}" for section, row in config.rows()}
    assert not known & set(config.REMOVED)


# --- secrets --------------------------------------------------------------------------------------------


def test_secrets_are_not_written_into_the_file() -> None:
    """A secret in the settings file is refused, with the remedy and without the secret."""
    problem = the_problem('[weixin]\nsecret = "hush"')
    assert "name a file in secret_file" in problem
    assert "hush" not in problem


def test_secrets_print_masked() -> None:
    """Neither a secret nor the settings that hold it can be printed by accident."""
    settings = parse("", WEIGHBRIDGE_WEIXIN_SECRET="hush")
    for shown in (repr(settings), str(settings), f"{settings.weixin.secret}", repr(Secret(value="hush"))):
        assert "hush" not in shown
    assert settings.weixin.secret.reveal() == "hush"


def test_a_secret_that_was_not_read_is_not_revealed() -> None:
    """Asking before `unlock` is an error, not an empty password."""
    with pytest.raises(ConfigError):
        parse(COMPLETE).weixin.secret.reveal()


@pytest.fixture
def complete(tmp_path: Path) -> Path:
    """A complete configuration with its secrets in files."""
    (tmp_path / "secrets").mkdir()
    for name in ("key.pem", "secret", "token", "aes"):
        path = tmp_path / "secrets" / name
        path.write_text(f" {name}-value\n")
        path.chmod(0o600)
    (tmp_path / "weighbridge.toml").write_text(COMPLETE)
    return tmp_path / "weighbridge.toml"


def test_unlock_reads_every_secret(complete: Path) -> None:
    """Secrets come from their files, without the blank space around them."""
    settings = config.unlock(config.load(complete, {}))
    assert settings.symphony.private_key.reveal() == "key.pem-value"
    assert settings.weixin.aes_key.reveal() == "aes-value"
    assert settings.origin == str(complete)


def test_unlock_tells_all_that_is_missing(complete: Path) -> None:
    """Missing values, missing, empty and exposed files: all in one answer, with a remedy each."""
    secrets = complete.parent / "secrets"
    (secrets / "key.pem").unlink()
    (secrets / "secret").write_text("\n")
    (secrets / "token").chmod(0o644)
    (secrets / "aes").write_bytes(b"\xff\xfe")
    complete.write_text(COMPLETE.replace('username = "weighbridge"\n', ""))
    with pytest.raises(ConfigError) as caught:
        config.unlock(config.load(complete, {}))
    found = "\n".join(caught.value.problems)
    assert len(caught.value.problems) == 5
    assert "WEIGHBRIDGE_SYMPHONY_USERNAME" in found
    assert "key.pem cannot be read: No such file or directory" in found
    assert "secret is empty" in found
    assert f"chmod 600 {secrets / 'token'}" in found
    assert "aes cannot be read: it is not UTF-8 text" in found


def test_unlock_accepts_secrets_from_the_environment(complete: Path) -> None:
    """A secret in the environment needs no file."""
    (complete.parent / "secrets" / "token").unlink()
    settings = config.unlock(config.load(complete, {"WEIGHBRIDGE_WEIXIN_TOKEN": "hush"}))
    assert settings.weixin.token.reveal() == "hush"


def test_a_missing_settings_file_says_how_to_make_one(tmp_path: Path) -> None:
    """The first mistake of a newcomer gets the first step as its answer."""
    with pytest.raises(ConfigError, match="weighbridge init"):
        config.load(tmp_path / "weighbridge.toml", {})


def test_an_unreadable_settings_file_is_told(tmp_path: Path) -> None:
    """A file that is not UTF-8, or a folder in its place, is a problem like any other."""
    (tmp_path / "weighbridge.toml").write_bytes(b"\xff")
    for path in (tmp_path / "weighbridge.toml", tmp_path):
        with pytest.raises(ConfigError, match="cannot be read"):
            config.load(path, {})


# --- manual and sample ----------------------------------------------------------------------------------


def test_the_manual_is_up_to_date() -> None:
    """docs/settings.md says what the table says: `python -m bridge.config > docs/settings.md`."""
    assert (ROOT / "docs/settings.md").read_text(encoding="utf-8") == config.manual()


def test_every_setting_has_a_meaning_and_a_default_it_accepts() -> None:
    """The table is complete, and no default would be refused if somebody wrote it down."""
    for section, row in config.rows():
        assert row.metadata["meaning"].endswith("."), (section, row.name)
        if row.default not in ("", (), None, Secret()):
            parse(f"[{section}]\n{config.written_key(row)} = {config._written(row.default)}")


def test_the_sample_reads_back_as_what_was_given() -> None:
    """What `init` writes is well formed, keeps the given values, and quotes what has to be quoted."""
    text = config.sample({"weixin.corp_id": 'ww"\\1', "daemon.batch": 7, "weixin.accounts": ("wk1",)})
    settings = parse(text)
    assert settings.weixin.corp_id == 'ww"\\1'
    assert settings.daemon.batch == 7
    assert settings.weixin.accounts == ("wk1",)
    assert all(f"# {row.metadata['meaning']}" in text for _, row in config.rows())


def test_every_setting_stands_in_the_sample_under_its_own_name() -> None:
    """Taking the `#` away from a default line gives a file that is read like the default."""
    bare = "\n".join(
        line.removeprefix("# ") for line in config.sample({}).splitlines() if " = " in line or "[" in line[:1]
    )
    written = "\n".join(line for line in bare.splitlines() if not line.endswith('= ""'))
    assert dataclasses.replace(parse(written), origin="") == dataclasses.replace(parse(), origin="")
