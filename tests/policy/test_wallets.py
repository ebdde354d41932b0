"""Wallet addresses: published vectors, wrong checksums, and capitals that survive folding."""

from __future__ import annotations

import pytest
from policy_rig import found, looking_for, message, stops, weigh

from bridge.message import Outcome
from bridge.policy import wallets as d

# From BIP-173, BIP-350, EIP-55 and the documents of Bitcoin and TRON.
ADDRESSES = {
    "btc": [
        "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
        "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy",
        "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4",
        "bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kt5nd6y",
        "BC1SW50QGDZ25J",
        "bc1zw508d6qejxtdg4y5r3zarvaryvaxxpcs",
        "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
    ],
    "eth": [
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
        "0x52908400098527886E0F7030069857D2E4169EE7",
        "0xde709f2102306220921060314715629080e2fb77",
    ],
    "trx": ["TJRabPrwbZy45sbavfcjinPJC18kjpRTv8", "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"],
}
WALLETS = looking_for("type: crypto_wallet")


@pytest.mark.parametrize(("coin", "address"), [(c, a) for c, some in ADDRESSES.items() for a in some])
def test_published_addresses_are_found(coin: str, address: str) -> None:
    """Inside Chinese text, full-width, with an invisible character in it; and only as their own coin."""
    wide = address.translate({code: code + 0xFEE0 for code in range(0x30, 0x7B)})
    for written in (address, wide, address[:9] + "\u200b" + address[9:]):
        assert found(WALLETS, f"转到{written}，谢谢") == [written]
    others = [other for other in d.COINS if other != coin]
    assert not stops(looking_for(f"type: crypto_wallet, coins: [{', '.join(others)}]"), address)


@pytest.mark.parametrize(
    "address",
    [
        "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb",
        "1a1zp1ep5qgefi2dmptftl5slmv7divfna",
        "11A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
        "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx",
        "bc1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4",
        "BC1QR508D6QEJXTDG4Y5R3ZARVARYV98GJ9P",
        "bc1zw508d6qejxtdg4y5r3zarvaryvqyzf3du",
        "bc1gmk9yu",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAe",
        "x0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "TJRabPrwbZy45sbavfcjinPJC18kjpRTv9",
    ],
)
def test_a_wrong_checksum_is_no_address(address: str) -> None:
    """One character, its case, the network, the version or the length is wrong."""
    assert not stops(WALLETS, f"转到 {address} 谢谢")


def test_an_address_without_capitals_is_less_sure() -> None:
    """One case has no checksum; high confidence needs it."""
    high = looking_for("type: crypto_wallet", "high")
    assert stops(high, ADDRESSES["eth"][0]) and not stops(high, ADDRESSES["eth"][0].lower())


def test_an_address_is_proved_where_it_stands() -> None:
    """In a quotation, behind other parts, its own capitals are looked at."""
    verdict = weigh(WALLETS, message("ｓｅｅ ①②③ ㈱", quote=f"㈱ {ADDRESSES['eth'][0]}"))
    assert verdict.outcome is Outcome.BLOCK
    wrong = weigh(WALLETS, message("see", quote=f"㈱ {ADDRESSES['eth'][0][:-1]}D"))
    assert wrong.outcome is Outcome.DELIVER
