"""Documents indented, for a person; and the last step of ``make run``: a page of the liveliest overview of a home's."""

import json
import re
import sys

_WORD = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^"{}\[\],:]+')


PAGE = 24
"""So many lines of it, below which the night's summary is still on the screen."""


def main() -> None:
    """Of the overviews on standard input one with a few open claims and an unplaced payment: its first lines.

    The first argument: the home that they are of.
    """
    best = max(sys.stdin.buffer, key=_liveliness, default=None)
    if best is None:
        sys.exit("there are no documents")
    lines = indented(best.decode().rstrip("\n")).splitlines()
    sys.stdout.write("\n".join(["", *lines[:PAGE], ""]))
    if len(lines) > PAGE:
        part = json.loads(best)["forespurtPart"]
        sys.stdout.write(
            f"… {len(lines) - PAGE} more lines: kravoversikt get oversikt {part} --pretty --home {sys.argv[1]}\n"
        )


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
