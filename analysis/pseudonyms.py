"""What an analyst may see of tables without seeing who anyone is: keyed hashes for numbers and identifiers.

Parts, households, and identifiers that can hold a number become the first 32 hex digits of ``sha256(outer key ‖
sha256(inner key ‖ value))``, both keys made of the secret by HMAC. The same value has the same pseudonym in every
column, so joins hold. Without the secret nobody finds a number by trying all; whoever has it can. Names, accounts,
KIDs, file names and free text are left out, and codes that are in no reference data.

It does not hide amounts and dates, which may tell of someone to who knows them, nor small groups.
"""

import hashlib
import hmac
import secrets
from pathlib import Path

from schemas.views import JOINS, Shown, View, ViewColumn

LEAST_BYTES = 32
DIGITS = 32

PSEUDONYMS = {name for name, joined in JOINS.items() if joined.startswith("part.")} | {
    *("husholdning", "post", "motpost", "noekkel", "rot_noekkel", "plasseringsidentifikator"),
    *("kravidentifikator", "kravforfallsidentifikator", "motkravforfallsidentifikator"),
    *("innbetalingsidentifikator", "utbetalingsidentifikator"),
}
"""Columns whose values become pseudonyms."""

AS_THEY_ARE = {
    *("parttype", "plasseringstype", "ende", "termin", "aldersgruppe", "type", "tabell", "rot_tabell"),
    *("kilde", "rot_kilde", "kode", "koder", "rot_kode", "snapshot", "forrige"),
    *("endring", "kolonner"),
}
"""Columns of text that hold one of a few words of the program's own, or of the operator's."""

IN_REFERENCE = {"kravtype", "kravgruppe"}
"""Columns of delivered codes: one that is in no reference data may hold anything, and becomes ``ukjent``."""


class KeyFileError(Exception):
    """The file of the secret is missing, or holds too little."""


def secret(key_file: Path | None) -> bytes:
    """What the file holds; without one a secret that nobody has: no other export can be joined with this.

    Raises ``KeyFileError``.
    """
    if key_file is None:
        return secrets.token_bytes(LEAST_BYTES)
    try:
        key = key_file.read_bytes().strip()
    except OSError as error:
        raise KeyFileError(f"the key file cannot be read: {error.strerror}") from error
    if len(key) < LEAST_BYTES:
        raise KeyFileError(f"the key file must hold at least {LEAST_BYTES} bytes")
    return key


def macro(key: bytes) -> str:
    """The macro that ``column`` uses, a temporary one: the keys in it are written nowhere."""
    inner, outer = (hmac.new(key, word, hashlib.sha256).hexdigest() for word in (b"inner", b"outer"))
    hashed = f"sha256(concat('{outer}', sha256(concat('{inner}', v))))"
    return f"CREATE TEMP MACRO pseudonym(v) AS CASE WHEN v IS NOT NULL THEN left({hashed}, {DIGITS}) END"


def column(view: View, of: ViewColumn) -> str:
    """What is exported of a column, as SQL. Text that nothing is known of is left out: null."""
    name, text = of.name, of.shown in (Shown.TEXT, Shown.TEXTS)
    if not text or name in AS_THEY_ARE or view.name == "kravtype":
        return name
    if name in PSEUDONYMS:
        return f"pseudonym({name}) AS {name}"
    if name in IN_REFERENCE:
        known = f"SELECT {name} FROM source.kravtype UNION ALL SELECT 'Andre krav'"
        return f"CASE WHEN {name} IS NULL OR {name} IN ({known}) THEN {name} ELSE 'ukjent' END AS {name}"
    return f"NULL::{of.shown} AS {name}"
