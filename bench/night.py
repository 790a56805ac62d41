"""The night beside other ways to make the same documents: ``python -m bench.night --parts 10000 --runs 3``.

Each way is a process of its own, reads the same delivered Parquet files and leaves the documents of every part,
compressed at the same levels. They take turns, and what they leave is compared byte for byte in every run, or the
bench fails. Prints Markdown: medians, and ratios to ours.
"""

import argparse
import shutil
import statistics
import sys
from dataclasses import dataclass, field, fields
from pathlib import Path

from bench import compare, floor, ours
from bench.process import Cost, FailedError, run

DATE = "2026-11-23"
TWO_THREADS = ("env", "POLARS_MAX_THREADS=2")
"""The others say so themselves; Polars is told by its surroundings."""
NAMES = ("polars", "chdb", "duckdb-fragments", "duckdb-nested", "pyspark", "pandas")


@dataclass
class Way:
    """One way to make the documents: how to run it over an inbox, and what its runs cost."""

    name: str
    title: str
    command: list[str]
    parts: int
    inbox: Path
    costs: list[Cost] = field(default_factory=list)
    failure: str | None = None

    def cost(self, parts: int) -> Cost:
        """Medians over the runs, seconds as if of so many parts."""
        typically, scale = typical(self.costs), parts / self.parts
        return Cost(scale * typically.seconds, typically.peak_mb, scale * typically.cpu_seconds)


def typical(costs: list[Cost]) -> Cost:
    """The median of each figure."""
    return Cost(*(statistics.median(getattr(cost, of.name) for cost in costs) for of in fields(Cost)))


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--parts", type=int, default=10_000)
    parser.add_argument("--pandas-parts", type=int, default=2_000, help="pandas makes so many, scaled by parts")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--duckdb-memory", default="", help="DuckDB's memory_limit, e.g. 12GB [its own default]")
    parser.add_argument("--spark-memory", default="10g", help="the heap of Spark's JVM")
    parser.add_argument(
        "--python", type=Path, default=Path(".venv-bench/bin/python"), help="has chdb, pyspark and pandas"
    )
    parser.add_argument("--without", nargs="*", default=[], choices=NAMES)
    parser.add_argument("--folder", type=Path, default=Path("data/bench"), help="for inboxes and what is made of them")
    return parser.parse_args()


def ways(given: argparse.Namespace, inbox: Path, small: Path) -> list[Way]:
    """The other ways that can be run here; says which cannot, and why."""
    python = str((ours.ROOT / given.python).absolute())
    memory = [given.duckdb_memory] if given.duckdb_memory else []
    missing: dict[str, str] = {}
    if not Path(python).exists():
        missing = dict.fromkeys(("chdb", "pyspark", "pandas"), "its environment is missing: make bench makes it")
    elif not shutil.which("java"):
        missing["pyspark"] = "there is no java on the path, and Spark needs version 17 or later"

    def way(name: str, title: str, program: str, module: str, *more: str) -> Way:
        parts, of = (given.pandas_parts, small) if name == "pandas" else (given.parts, inbox)
        return Way(name, title, [*TWO_THREADS, program, "-m", f"bench.{module}", "{}", "{}", DATE, *more], parts, of)

    made = [
        way("polars", "Polars, row numbers", sys.executable, "polars_night"),
        way("chdb", "chDB, fragments", python, "chdb_night"),
        way("duckdb-fragments", "DuckDB, fragments", sys.executable, "duckdb_night", "fragments", *memory),
        way("duckdb-nested", "DuckDB, nested SQL", sys.executable, "duckdb_night", "nested", *memory),
        way("pyspark", "PySpark, local", python, "pyspark_night", given.spark_memory),
        way("pandas", "pandas and orjson", python, "pandas_night"),
    ]
    for each in made:
        if each.name in missing and each.name not in given.without:
            print(f"{each.name} is skipped: {missing[each.name]}", file=sys.stderr)
    return [each for each in made if each.name not in given.without and each.name not in missing]


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
    """The ways, what each does, and ratios to ours; then the yardstick, the fastest of the others."""
    whole = typical([night.cost for night in nights])
    unchecked = statistics.median(night.unchecked_seconds for night in nights)
    left_out = ", ".join(name for name in ours.CHECKING if name in nights[0].stages)
    lines = [
        "| way | includes | seconds | ÷ ours | ÷ unchecked | processor s | ÷ ours | peak MB | ÷ ours | cores used |",
        "|---|---|" + "---:|" * 8,
        row("kravoversikt, checked", "the whole process: " + ", ".join(nights[0].stages), whole, whole, unchecked),
        f"| kravoversikt, unchecked | the same without {left_out} | {unchecked:.1f} | {unchecked / whole.seconds:.2f} "
        "| 1.00 | | | | | |",
    ]
    made = [way for way in others if not way.failure]
    for way in others:
        if way.failure:
            lines.append(f"| {way.title} | failed |" + " |" * 8)
            continue
        name = way.title if way.parts == parts else f"{way.title}, {way.parts} parts × {parts / way.parts:g}"
        lines.append(
            row(name, "documents only, nothing checked", way.cost(parts), whole, unchecked, scaled=way.parts != parts)
        )
    if made:
        lines.append(against(min(made, key=lambda way: way.cost(parts).seconds), parts, whole, unchecked))
    return "\n".join(lines)


def against(yardstick: Way, parts: int, whole: Cost, unchecked: float) -> str:
    """Ours as shares of the fastest of the others."""
    least = yardstick.cost(parts)
    return (
        f"\nThe yardstick is {yardstick.title}. Ours ÷ it: seconds {whole.seconds / least.seconds:.2f}, "
        f"unchecked {unchecked / least.seconds:.2f}; processor seconds {whole.cpu_seconds / least.cpu_seconds:.2f}; "
        f"memory {whole.peak_mb / least.peak_mb:.2f}"
    )


def row(name: str, includes: str, cost: Cost, whole: Cost, unchecked: float, *, scaled: bool = False) -> str:
    """A way's line. The memory of fewer parts is not scaled, and stands in parentheses."""
    memory = f"({cost.peak_mb:.0f}) | " if scaled else f"{cost.peak_mb:.0f} | {cost.peak_mb / whole.peak_mb:.2f}"
    return (
        f"| {name} | {includes} | {cost.seconds:.1f} | {cost.seconds / whole.seconds:.2f} "
        f"| {cost.seconds / unchecked:.2f} | {cost.cpu_seconds:.1f} | {cost.cpu_seconds / whole.cpu_seconds:.2f} "
        f"| {memory} | {cost.cores:.2f} |"
    )


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
