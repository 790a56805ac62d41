"""Numbers of organisations, persons and accounts, known by their check digits (mod 11)."""

import re
from collections.abc import Callable
from operator import mul

from serving.errors import KravoversiktError


def _mod11(*weights: int) -> Callable[[str], bool]:
    """What tells whether a text is as many digits as there are weights, not all of them 0, and their weighted sum
    divides by 11 (CONTRACT section 2.2, 1)."""
    zeros = ord("0") * sum(weights)

    def valid(text: str) -> bool:
        if len(text) != len(weights) or not (text.isascii() and text.isdigit()):
            return False
        weighted: int = sum(map(mul, text.encode(), weights)) - zeros
        return weighted > 0 and weighted % 11 == 0

    return valid


_is_organisation = _mod11(3, 2, 7, 6, 5, 4, 3, 2, 1)
_is_national_but_for_one = _mod11(3, 7, 6, 1, 8, 9, 4, 5, 2, 1)
_is_account = _mod11(5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1)


def _is_national(text: str) -> bool:
    """Two check digits: the last is made as an account's."""
    return _is_account(text) and _is_national_but_for_one(text[:10])


def check_part(part: str) -> str:
    """The part's number if it can be one, by length and check digits (mod 11). Raises KB-006."""
    if not _is_organisation(part) and not _is_national(part):
        raise KravoversiktError("KB-006", "part is not a valid organisation number or national number")
    return part


_NINE_DIGITS = re.compile("[0-9]{9}")
_NINE, _ELEVEN = re.compile("(?=([0-9]{9}))"), re.compile("(?=([0-9]{11}))")  # each place where so many begin
_NO_SIGNS = str.maketrans("", "", "._:-")
_UUID = re.compile("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def names_someone(text: str) -> bool:
    """Whether an organisation's, a person's or an account's number can be read in it, with or without signs between.

    (A person's last check digit is made as an account's.)
    In a UUID a number of nine digits is looked for within its groups only: across them chance makes too many.
    """
    plain = text.translate(_NO_SIGNS)
    if not _NINE_DIGITS.search(plain):
        return False
    nines = _NINE.findall(text if _UUID.fullmatch(text) else plain)
    return any(map(_is_organisation, nines)) or any(map(_is_account, _ELEVEN.findall(plain)))
