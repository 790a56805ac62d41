"""The import graph of ``transforms`` by folder: ``python -m tests.import_graph``, a line per room.

With the path of another checkout it is that one's.
"""

import ast
import sys
from collections import Counter, defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def imported(path: Path) -> list[str]:
    """The modules of ours that a file imports."""
    found = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            package, _, rest = node.module.partition(".")
            names = [rest] if rest else [name.name for name in node.names]
            found += [f"{package}.{name}" for name in names]
    return [module for module in found if module.split(".")[0] in ("schemas", "transforms")]


def room(module: str) -> str:
    """The folder of a module, or its file if it lies beside the folders; all of ``schemas`` is one."""
    package, first, *_ = module.split(".")
    return "schemas" if package == "schemas" else first


def graph(root: Path) -> dict[str, Counter[str]]:
    """By room, the rooms that its files import, and how many times."""
    rooms: dict[str, Counter[str]] = defaultdict(Counter)
    for path in sorted((root / "transforms").rglob("*.py")):
        here = path.relative_to(root / "transforms").with_suffix("").parts[0]
        rooms[here].update(there for module in imported(path) if (there := room(module)) != here)
    return {name: rooms[name] for name in sorted(rooms) if name != "__init__"}


def lines(root: Path) -> list[str]:
    """A line per room: how many files, and what they import."""
    files = Counter(
        path.relative_to(root / "transforms").with_suffix("").parts[0]
        for path in (root / "transforms").rglob("*.py")
        if path.name != "__init__.py"
    )
    return [
        f"{name:<10}{files[name]:>3} files → "
        + (", ".join(f"{there} {count}" for there, count in sorted(used.items())) or "nothing")
        for name, used in graph(root).items()
    ]


if __name__ == "__main__":
    print("\n".join(lines(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT)))
