"""How names from outside may be shown: printable, short, and with no one's number."""


def shown(name: str) -> str:
    """A delivered file name as it may stand in a message: printable, of bounded length.

    A run of nine digits or more could be a part's number, so digits beyond six are masked.
    """
    printable = "".join(c if c.isprintable() else "?" for c in name)
    run, out = 0, []
    for c in printable[:120]:
        run = run + 1 if c.isdigit() else 0
        out.append("#" if run > 6 else c)
    return "".join(out)
