"""GS1 identifiers as producers type them: GTIN, company prefix, SSCC, GLN. Parsing and check digits are biip's.

biip is loaded where it is needed: its table of prefixes takes 16 MB, of which trace pages need nothing.
"""

from __future__ import annotations

SSCC_LENGTH = 18


class NotGs1(ValueError):
    """The text is no such identifier: wrong length, characters or check digit."""


def read_gtin(text: str) -> str:
    """A GTIN of 8, 12, 13 or 14 digits as the 14 digits of GS1 Digital Link.

    :raises NotGs1: also for a number of restricted circulation, which means nothing outside a shop.
    """
    from biip import ParseError
    from biip.gtin import Gtin

    try:
        return Gtin.parse(text).as_gtin_14()
    except (ParseError, ValueError) as error:
        raise NotGs1(text) from error


def read_company_prefix(text: str) -> str:
    """A GS1 company prefix of 4 to 12 digits, whose first ones are of a GS1 member organisation.

    :raises NotGs1:
    """
    from biip.gs1_prefixes import GS1Prefix

    if not (text.isascii() and text.isdigit() and 4 <= len(text) <= 12) or GS1Prefix.extract(text) is None:
        raise NotGs1(text)
    return text


def read_sscc(text: str) -> str:
    """The 18 digits of an SSCC.

    :raises NotGs1:
    """
    from biip import ParseError
    from biip.sscc import Sscc

    try:
        return Sscc.parse(text).value
    except (ParseError, ValueError) as error:
        raise NotGs1(text) from error


def sscc_serials(company_prefix: str) -> int:
    """How many containers a prefix has numbers for, under one extension digit."""
    return int(10 ** (SSCC_LENGTH - 2 - len(company_prefix)))


def read_gln(text: str) -> str:
    """The 13 digits of a GLN.

    :raises NotGs1:
    """
    from biip import ParseError
    from biip.gln import Gln

    try:
        return Gln.parse(text).value
    except (ParseError, ValueError) as error:
        raise NotGs1(text) from error
