"""Organisation and national numbers: the mod 11 check, and makers of synthetic valid ones."""

import re

ORGANISATION_WEIGHTS = (3, 2, 7, 6, 5, 4, 3, 2)
FIRST_WEIGHTS = (3, 7, 6, 1, 8, 9, 4, 5, 2)
SECOND_WEIGHTS = (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)


def check_digit(digits: str, weights: tuple[int, ...]) -> int | None:
    """The mod 11 check digit of ``digits``, or None when there is none (it would be 10)."""
    rest = sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=True)) % 11
    if rest == 1:
        return None
    return 0 if rest == 0 else 11 - rest


def is_organisation_number(text: str) -> bool:
    """Nine digits, not all zeros, the last of which checks."""
    if not re.fullmatch(r"[0-9]{9}", text) or not int(text):
        return False
    return check_digit(text[:8], ORGANISATION_WEIGHTS) == int(text[8])


def is_national_number(text: str) -> bool:
    """Eleven digits, not all zeros, the last two of which check. The date in it is not looked at."""
    if not re.fullmatch(r"[0-9]{11}", text) or not int(text):
        return False
    first = check_digit(text[:9], FIRST_WEIGHTS)
    second = check_digit(text[:10], SECOND_WEIGHTS)
    return first == int(text[9]) and second == int(text[10])


def is_part_number(text: str) -> bool:
    """A valid number of either kind."""
    return is_organisation_number(text) or is_national_number(text)


def organisation_number(index: int) -> str:
    """The index-th of a row of distinct valid numbers, in the series for made-up organisations."""
    for last in range(10):
        digits = f"3{index:06d}{last}"
        check = check_digit(digits, ORGANISATION_WEIGHTS)
        if check is not None:
            return f"{digits}{check}"
    raise AssertionError("one of ten always has a check digit")


def national_number(index: int) -> str:
    """The index-th of a row of distinct valid numbers, month + 80 as for made-up persons."""
    for last in range(10):
        digits = f"0181{index:04d}{last}"
        first = check_digit(digits, FIRST_WEIGHTS)
        if first is None:
            continue
        second = check_digit(f"{digits}{first}", SECOND_WEIGHTS)
        if second is not None:
            return f"{digits}{first}{second}"
    raise AssertionError("one of ten always has two check digits")


def with_wrong_check_digit(number: str) -> str:
    """The same number with its last digit changed, so that it does not check."""
    return number[:-1] + str((int(number[-1]) + 1) % 10)
