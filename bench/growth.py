"""How a night grows, and what an ordinary one costs: ``python -m bench.growth 10000 100000 1000000``.

For each size: the first night, in full. Then the second night's changes (one part in a hundred) over copies of that
home: with the same snapshot date and with the next day's, each as an ordinary night and with ``--full``. The two
must leave the same documents, byte for byte. Prints Markdown: a size's stages when it is done, at the end all sizes.
"""

import argparse
import shutil
from pathlib import Path

from bench import compare, ours
from bench.night import DATE

NEXT = "2026-11-24"


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("parts", type=int, nargs="*", default=[1_000, 10_000])
    parser.add_argument("--folder", type=Path, default=Path("data/bench"), help="for inboxes and what is made of them")
    return parser.parse_args()


def first_night_of(inbox: Path, folder: Path) -> Path:
    """The same inbox as it was before the second night."""
    first = folder / "first-inbox"
    shutil.rmtree(first, ignore_errors=True)
    shutil.copytree(inbox, first, ignore=shutil.ignore_patterns("000002"))
    return first


def second_night(inbox: Path, before: Path, folder: Path, day: str, *options: str) -> tuple[ours.Night, compare.Hashes]:
    """The second night over a copy of the first one's home, and the documents that it leaves."""
    home = folder / "second-home"
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(before, home, symlinks=True)
    night = ours.night(inbox, home, day, folder / "ours.log", *options)
    documents, _ = compare.of_home(home)
    shutil.rmtree(home)
    return night, documents


def ordinary(inbox: Path, before: Path, folder: Path, day: str) -> tuple[ours.Night, ours.Night]:
    """The second night over a copy of the first one's home, as an ordinary one and in full; the documents are equal."""
    full, expected = second_night(inbox, before, folder, day, "--full")
    night, documents = second_night(inbox, before, folder, day)
    differs = compare.difference(expected, documents)
    if differs:
        raise SystemExit(f"the ordinary night of {day} differs from the full one: {differs}")
    return night, full


def stage_table(nights: dict[str, ours.Night]) -> str:
    """Seconds and peak memory of each stage of each night, and all of it as a share of the first night."""
    lines = ["| stage |" + "".join(f" {what}, s | peak MB |" for what in nights), "|---|" + "---:|---:|" * len(nights)]
    first = next(iter(nights.values()))
    for stage in first.stages:
        of_stage = [night.stages[stage] for night in nights.values()]
        lines.append(
            f"| {stage} |" + "".join(f" {of['seconds']:.1f} | {of['peak_memory_mb']:.0f} |" for of in of_stage)
        )
    sums = [sum(of["seconds"] for of in night.stages.values()) for night in nights.values()]
    lines.append("| all |" + "".join(f" {seconds:.1f} | |" for seconds in sums))
    lines.append("| ÷ full night |" + "".join(f" {seconds / sums[0]:.2f} | |" for seconds in sums))
    return "\n".join(lines)


def main() -> None:
    """Runs all sizes, one after another."""
    given = arguments()
    folder = given.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    growth = [
        "| parts | seconds | seconds a million parts | peak MB | cores used | JSON MB | stored ÷ JSON |",
        "|---:|---:|---:|---:|---:|---:|---:|",
    ]
    changes = ["| parts | second night | seconds | full, seconds | ratio | peak MB |", "|---:|---|---:|---:|---:|---:|"]
    for parts in given.parts:
        inbox, home = folder / f"inbox-{parts}-2", folder / "first-home"
        ours.generate(inbox, parts, 2, DATE)
        shutil.rmtree(home, ignore_errors=True)
        first = ours.night(first_night_of(inbox, folder), home, DATE, folder / "ours.log")
        built, cost, million = first.stages["build"], first.cost, first.cost.seconds * 1e6 / parts
        growth.append(
            f"| {parts} | {cost.seconds:.1f} | {million:.0f} | {cost.peak_mb:.0f} | {cost.cores:.2f} "
            f"| {built['json_bytes'] / 1e6:.0f} | {built['stored_bytes'] / built['json_bytes']:.1%} |"
        )
        nights = {"full night": first}
        for day, what in ((DATE, "same date"), (NEXT, "next day")):
            nights[what], full = ordinary(inbox, home, folder, day)
            cost = nights[what].cost
            changes.append(
                f"| {parts} | {what} | {cost.seconds:.1f} | {full.cost.seconds:.1f} "
                f"| {cost.seconds / full.cost.seconds:.3f} | {cost.peak_mb:.0f} |"
            )
        shutil.rmtree(folder / "first-inbox")
        shutil.rmtree(home)
        print(f"{parts} parts:\n\n{stage_table(nights)}\n", flush=True)
    print("\n".join(growth) + "\n\n" + "\n".join(changes))


if __name__ == "__main__":
    main()
