"""Numbers from registers of banks, securities and companies: IBAN, BIC, LEI, ISIN, USCC.

Rules of this file: check digits and structures are python-stdnum's; here is where a number may begin and end,
and how sure it is. A BIC has no check digit, and many English words look like one: it needs a word beside it.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator

from stdnum import iban as stdnum_iban
from stdnum import isin as stdnum_isin
from stdnum import lei as stdnum_lei
from stdnum import numdb
from stdnum.cn import uscc as stdnum_uscc

from bridge.policy.detectors import CERTAIN, FORMAT, HIGH, LOW, MEDIUM, Finding, Levels, Scan, Shape, checked

# --- IBAN -----------------------------------------------------------------------------------------------

_IBAN_START = r"[a-z]{2}[0-9]{2}[ -]?[0-9a-z]"
_IBAN_HEAD = re.compile(rf"(?<![a-z0-9])(?={_IBAN_START})")


@functools.cache
def _iban_of(country: str) -> re.Pattern[str] | None:
    """An IBAN of `country`, in one piece or in groups; None where there are none (ISO 13616 register)."""
    _, info = numdb.get("iban").info(country.upper())[0]
    if "bban" not in info:
        return None
    length = 2 + sum(int(number) for number in re.findall(r"[0-9]+", info["bban"]))
    return re.compile(rf"[a-z]{{2}}[0-9](?:[ -]?[a-z0-9]){{{length - 1}}}[a-z0-9]?(?![a-z0-9])")


def _ibans(scan: Scan) -> Iterator[Finding]:
    for head in _IBAN_HEAD.finditer(scan.text):
        start = head.start()
        pattern = _iban_of(scan.text[start : start + 2])
        found = pattern.match(scan.text, start) if pattern else None
        if found and stdnum_iban.is_valid(found.group(), check_country=False):
            yield Finding(*found.span(), HIGH, HIGH)


IBAN = Shape(_IBAN_START, _ibans)

# --- BIC ------------------------------------------------------------------------------------------------

# ISO 3166-1 alpha-2, and XK, which banks use.
COUNTRIES = frozenset(
    re.findall(
        "..",
        "adaeafagaialamaoaqarasatauawaxazbabbbdbebfbgbhbibjblbmbnbobqbrbsbtbvbwbybzcacccdcfcgchcickclcmcncocrcu"
        "cvcwcxcyczdedjdkdmdodzeceeegeheresetfifjfkfmfofrgagbgdgegfggghgiglgmgngpgqgrgsgtgugwgyhkhmhnhrhthuidieil"
        "imioiniqirisitjejmjojpkekgkhkikmknkpkrkwkykzlalblclilklrlsltlulvlymamcmdmemfmgmhmkmlmmmnmompmqmrmsmtmumvmw"
        "mxmymznancnenfngninlnonpnrnunzompapepfpgphpkplpmpnprpsptpwpyqarerorsrurwsasbscsdsesgshsisjskslsmsnsosr"
        "ssstsvsxsysztctdtftgthtjtktltmtntotrtttvtwtzuaugumusuyuzvavcvevgvivnvuwfwsyeytzazmzwxk",
    )
)
_BIC_WORDS = ("bic", "swift", "汇款", "银行代码", "国际代码", "beneficiary bank", "remit")


def _bic(number: str) -> Levels | None:
    return FORMAT if number[4:6] in COUNTRIES else None


BIC = checked(r"[a-z]{6}[a-z2-9][a-np-z0-9](?:[a-z0-9]{3})?", _bic, words=_BIC_WORDS)

# --- LEI, ISIN, USCC ------------------------------------------------------------------------------------


def _lei(number: str) -> Levels | None:
    if not stdnum_lei.is_valid(number):
        return None
    return CERTAIN if not number.isdigit() else Levels(LOW, HIGH)


def _isin(number: str) -> Levels | None:
    return CERTAIN if stdnum_isin.is_valid(number) else None


def _uscc(number: str) -> Levels | None:
    if not stdnum_uscc.is_valid(number):
        return None
    return CERTAIN if not number.isdigit() else Levels(MEDIUM, HIGH)


LEI = checked(r"[a-z0-9]{18}[0-9]{2}", _lei, words=("lei", "legal entity identifier"))
ISIN = checked(r"[a-z]{2}[a-z0-9]{9}[0-9]", _isin)
USCC = checked(
    r"[0-9a-hj-npqrtuwxy]{2}[0-9]{6}[0-9a-hj-npqrtuwxy]{10}",
    _uscc,
    words=("统一社会信用代码", "信用代码", "uscc", "营业执照"),
)
