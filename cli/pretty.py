"""Prints the liveliest of the overviews on standard input, indented: the last step of ``make run``."""

import json
import re
import sys

_WORD = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^"{}\[\],:]+')


def main() -> None:
    """Picks an overview with a few open claims and an unplaced payment."""
    best = max(sys.stdin.buffer, key=_liveliness, default=None)
    if best is None:
        sys.exit("there are no documents")
    sys.stdout.write(indented(best.decode().rstrip("\n")) + "\n")


def _liveliness(line: bytes) -> tuple[int, int, int]:
    overview = json.loads(line)
    claims = len(overview["aapentKravMedGjenstaaendeBeloep"])
    unplaced = len(overview["innbetalingMedUplassertBeloep"])
    return min(claims, 3), min(unplaced, 1), -claims - unplaced


def indented(document: str) -> str:
    """Compact JSON on many lines. Numbers stay as they are written: a parser would lose ``.00``."""
    out, depth = [], 0
    words = _WORD.findall(document)
    for before, word in zip(["", *words], words, strict=False):
        closing = word in "}]"
        depth -= closing
        if (before in ("{", "[") and not closing) or before == "," or (closing and before not in ("{", "[")):
            out.append("\n" + "  " * depth)
        depth += word in "{["
        out.append(": " if word == ":" else word)
    return "".join(out)


if __name__ == "__main__":
    main()
