"""CSV read as section 1 says it: a whole text at a time, by one regular expression and nothing of a CSV library."""

import re

FIELD = re.compile(r'("(?:[^"]|"")*"|[^",\r\n]*)(,|\r\n|\n|\r|\Z)')

Rows = list[list[str | None]]


def csv_rows(content: bytes) -> Rows:
    """The header and the rows, null where a field is empty. ValueError when the file must be refused."""
    text = content.decode("utf-8").removeprefix("\ufeff")
    rows: Rows = []
    row: list[str | None] = []
    place = 0
    while place < len(text):
        found = FIELD.match(text, place)
        if not found:
            raise ValueError("a quote stands where there may be none, or is never closed")
        field, end = found.groups()
        if row or field or end == ",":  # else an empty line
            quoted = field.startswith('"')
            row.append((field[1:-1].replace('""', '"') if quoted else field) or None)
        if end == "," and found.end() == len(text):
            row.append(None)
        place = found.end()
        if row and (end != "," or place == len(text)):
            rows.append(row)
            row = []
    if not rows or any(len(one) != len(rows[0]) for one in rows):
        raise ValueError("no header, or a ragged line")
    return rows
