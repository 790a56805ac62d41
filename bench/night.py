"""The night beside other ways to make the same documents: ``python -m bench.night --parts 10000 --runs 3``.

Each way is a process of its own, reads the same delivered Parquet files and leaves the documents of every part,
compressed at the same level. They take turns, and what they leave is compared byte for byte in every run, or the
bench fails. Prints Markdown: medians, and ratios to ours.
"""

import argparse
import shutil
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bench import compare, floor, ours
from bench.process import Cost, FailedError, run

DATE = "2026-11-23"


@dataclass
class Way:
    """One way to make the documents: how to run it over an inbox, and what its runs cost."""

    name: str
    command: list[str]
    parts: int
    inbox: Path
    costs: list[Cost] = field(default_factory=list)
    failure: str | None = None

    def median(self, of: Callable[[Cost], float]) -> float:
        """The median over the runs."""
        return statistics.median(map(of, self.costs))


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--parts", type=int, default=10_000)
    parser.add_argument("--pandas-parts", type=int, default=2_000, help="pandas makes so many, scaled by parts")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--duckdb-memory", default="", help="DuckDB's memory_limit, e.g. 12GB [its own default]")
    parser.add_argument("--spark-memory", default="10g", help="the heap of Spark's JVM")
    parser.add_argument("--python", type=Path, default=Path(".venv-bench/bin/python"), help="has pyspark and pandas")
    parser.add_argument("--without", nargs="*", default=[], choices=["duckdb", "pyspark", "pandas"])
    parser.add_argument("--folder", type=Path, default=Path("data/bench"), help="for inboxes and what is made of them")
    return parser.parse_args()


def ways(given: argparse.Namespace, inbox: Path, small: Path) -> list[Way]:
    """The other ways that can be run here; says which cannot, and why."""
    python = str((ours.ROOT / given.python).absolute())
    memory = [given.duckdb_memory] if given.duckdb_memory else []
    missing = {
        "duckdb": None,
        "pandas": None if Path(python).exists() else "its environment is missing: make bench makes it",
        "pyspark": None if Path(python).exists() else "its environment is missing: make bench makes it",
    }
    if not shutil.which("java"):
        missing["pyspark"] = "there is no java on the path, and Spark needs version 17 or later"
    made = [
        Way("duckdb", [sys.executable, "-m", "bench.duckdb_night", "{}", "{}", DATE, *memory], given.parts, inbox),
        Way("pyspark", [python, "-m", "bench.pyspark_night", "{}", "{}", DATE, given.spark_memory], given.parts, inbox),
        Way("pandas", [python, "-m", "bench.pandas_night", "{}", "{}", DATE], given.pandas_parts, small),
    ]
    for way in made:
        if missing[way.name]:
            print(f"{way.name} is skipped: {missing[way.name]}", file=sys.stderr)
    return [way for way in made if way.name not in given.without and not missing[way.name]]


def measure(way: Way, folder: Path, expected: compare.Hashes) -> None:
    """Runs a way once and compares its documents. One that fails (no memory, say) is not run again."""
    out = folder / way.name
    shutil.rmtree(out, ignore_errors=True)
    places = iter([str(way.inbox), str(out)])
    command = [next(places) if word == "{}" else word for word in way.command]
    try:
        way.costs.append(run(command, ours.ROOT, folder / f"{way.name}.log"))
    except FailedError as error:
        way.failure = f"{way.name} failed, {error}"
        print(way.failure, file=sys.stderr)
        return
    differs = compare.difference(expected, compare.of_output(out))
    if differs:
        raise SystemExit(f"{way.name} made other documents: {differs}")
    shutil.rmtree(out)


def table(nights: list[ours.Night], others: list[Way], parts: int) -> str:
    """The ways, with ratios to ours."""
    whole = statistics.median(night.cost.seconds for night in nights)
    unchecked = statistics.median(night.unchecked_seconds for night in nights)
    peak = statistics.median(night.cost.peak_mb for night in nights)
    cores = statistics.median(night.cost.cores for night in nights)
    lines = [
        "| way | seconds | ÷ ours | ÷ ours unchecked | peak MB | ÷ ours | cores used |",
        "|---|---:|---:|---:|---:|---:|---:|",
        f"| kravoversikt, checked | {whole:.1f} | 1.00 | {whole / unchecked:.2f} | {peak:.0f} | 1.00 | {cores:.2f} |",
        f"| kravoversikt, unchecked | {unchecked:.1f} | {unchecked / whole:.2f} | 1.00 | | | |",
    ]
    for way in others:
        name = {"duckdb": "DuckDB, nested SQL", "pyspark": "PySpark, local", "pandas": "pandas and orjson"}[way.name]
        if way.failure:
            lines.append(f"| {name} | failed | | | | | |")
            continue
        scale = parts / way.parts
        seconds, most = scale * way.median(lambda cost: cost.seconds), way.median(lambda cost: cost.peak_mb)
        if way.parts == parts:
            memory = f"{most:.0f} | {most / peak:.2f}"
        else:
            name, memory = f"{name}, {way.parts} parts × {scale:g}", f"({most:.0f}) | "
        cores = way.median(lambda cost: cost.cores)
        lines.append(
            f"| {name} | {seconds:.1f} | {seconds / whole:.2f} | {seconds / unchecked:.2f} | {memory} | {cores:.2f} |"
        )
    return "\n".join(lines)


def stage_table(nights: list[ours.Night], least: floor.Floor) -> str:
    """Each stage's seconds and peak memory, and the whole night against its floor."""
    lines = ["| stage | seconds | peak MB |", "|---|---:|---:|"]
    for stage in nights[0].stages:
        seconds = statistics.median(night.stages[stage]["seconds"] for night in nights)
        peak = statistics.median(night.stages[stage]["peak_memory_mb"] for night in nights)
        lines.append(f"| {stage} | {seconds:.2f} | {peak:.0f} |")
    stages = statistics.median(sum(s["seconds"] for s in night.stages.values()) for night in nights)
    lines.append(f"| all stages | {stages:.2f} | |")
    for name, seconds in vars(least).items():
        lines.append(f"| floor: {name} | {seconds:.2f} | |")
    lines.append(f"| all stages ÷ floor | {stages / least.seconds:.2f} | |")
    return "\n".join(lines)


def documents_of(inbox: Path, home: Path, log: Path) -> tuple[ours.Night, compare.Hashes, int]:
    """A night of ours in a fresh home, its documents as hashes, and their bytes."""
    shutil.rmtree(home, ignore_errors=True)
    night = ours.night(inbox, home, DATE, log)
    return night, *compare.of_home(home)


def main() -> None:
    """Runs all, in turns."""
    given = arguments()
    folder = given.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    inboxes = {parts: folder / f"inbox-{parts}-1" for parts in (given.parts, given.pandas_parts)}
    for parts, inbox in inboxes.items():
        ours.generate(inbox, parts, 1, DATE)
    inbox, small = inboxes[given.parts], inboxes[given.pandas_parts]
    others = ways(given, inbox, small)
    expected, sizes, nights, home = {}, {}, [], folder / "home"
    if any(way.name == "pandas" for way in others):
        _, expected[small], sizes[small] = documents_of(small, home, folder / "ours.log")
    for number in range(1, given.runs + 1):
        night, made, sizes[inbox] = documents_of(inbox, home, folder / "ours.log")
        if compare.difference(expected.setdefault(inbox, made), made):
            raise SystemExit("our own documents differ between runs")
        nights.append(night)
        for way in others:
            if not way.failure:
                measure(way, folder, expected[way.inbox])
        print(f"run {number} of {given.runs} done", file=sys.stderr)
    least = floor.measure(inbox, home, folder / "scratch")
    print(f"{given.parts} parts, {sizes[inbox] / 1e6:.0f} MB of JSON, medians of {given.runs}; all documents equal\n")
    print(table(nights, others, given.parts))
    if small in sizes:
        print(
            f"\nJSON a part: {sizes[inbox] / given.parts:.0f} bytes, in pandas' {sizes[small] / given.pandas_parts:.0f}"
        )
    print("\n" + stage_table(nights, least))
    shutil.rmtree(home)


if __name__ == "__main__":
    main()
