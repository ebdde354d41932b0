"""A time stamp counts only for these bytes, this question, and an authority that is trusted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from authority import DAY, Authority
from rfc3161_client import HashAlgorithm, TimestampRequestBuilder

from bridge.ledger.timestamp import roots_in, stamped

NOTE = b"weighbridge/5b1c4e1a0c77d2e9/0\n278\n"


def asked(note: bytes = NOTE) -> tuple[bytes, int]:
    """A question about a note, and its nonce."""
    builder = TimestampRequestBuilder().data(note).hash_algorithm(HashAlgorithm.SHA256)
    question = builder.nonce(nonce=True).cert_request(cert_request=True).build()
    return question.as_bytes(), question.nonce or 0


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """One that everybody trusts."""
    return Authority(tmp_path_factory.mktemp("authority"))


def test_a_good_stamp_says_since_when(authority: Authority) -> None:
    """The time, in UTC, and who says so; with the nonce and, for an auditor years later, without."""
    question, nonce = asked()
    answer, roots = authority.reply(question), roots_in(authority.roots.read_bytes())
    stamp = stamped(answer, NOTE, roots, nonce)
    assert abs(stamp.time - datetime.now(UTC)) < timedelta(minutes=1)
    assert stamp.by == "CN=Test authority"
    assert stamp.at == int(stamp.time.timestamp()) * 1000
    assert stamped(answer, NOTE, roots) == stamp


def test_the_wrong_answer_is_refused(authority: Authority) -> None:
    """Other bytes, another question's answer, a refusal, damage anywhere."""
    question, nonce = asked()
    answer, roots = authority.reply(question), roots_in(authority.roots.read_bytes())
    with pytest.raises(ValueError, match="about other bytes"):
        stamped(answer, NOTE + b"x", roots, nonce)
    with pytest.raises(ValueError, match="answers another question"):
        stamped(answer, NOTE, roots, nonce + 1)
    with pytest.raises(ValueError, match="refused by the authority"):
        stamped(authority.reply(b"no question"), NOTE, roots, nonce)
    with pytest.raises(ValueError, match="no response"):
        stamped(b"<html>", NOTE, roots, nonce)


def test_no_byte_of_a_stamp_can_be_changed(authority: Authority) -> None:
    """Whatever is damaged, it is refused, or still proves the same time."""
    question, nonce = asked()
    answer, roots = authority.reply(question), roots_in(authority.roots.read_bytes())
    good = stamped(answer, NOTE, roots, nonce)
    for place in range(0, len(answer), 3):
        damaged = answer[:place] + bytes([answer[place] ^ 1]) + answer[place + 1 :]
        try:
            assert stamped(damaged, NOTE, roots, nonce).time == good.time
        except ValueError:
            continue


@pytest.mark.parametrize(("ends", "why"), [(-DAY, "expired"), (DAY, "signature failure")])
def test_whom_nobody_trusts_proves_nothing(
    authority: Authority, tmp_path: Path, ends: timedelta, why: str
) -> None:
    """A certificate that was over when it stamped, and one below another root of the same name."""
    other = Authority(tmp_path, ends=ends)
    question, nonce = asked()
    trusted = authority if ends > timedelta() else other
    with pytest.raises(ValueError, match=f"not signed by an authority that is trusted here: .*{why}"):
        stamped(other.reply(question), NOTE, roots_in(trusted.roots.read_bytes()), nonce)


def test_roots_are_certificates(authority: Authority) -> None:
    """A file of several; one without any is refused, and so is what only looks like one."""
    pem = authority.roots.read_bytes()
    assert len(roots_in(b"a comment\n" + pem + pem)) == 2
    with pytest.raises(ValueError, match="no certificate"):
        roots_in(b"nothing")
    with pytest.raises(ValueError):
        roots_in(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
