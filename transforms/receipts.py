"""Receipts on disk: written when a stage is done, read by the stages after it, and refused when they don't fit."""

import contextlib
import hashlib
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import cast

from pydantic import ValidationError

from schemas import receipts
from schemas.receipts import NightOf, Receipt
from transforms.home.snapshot import write_json
from transforms.home.version import CODE
from transforms.measure import Measured
from transforms.rules import reference
from transforms.run import Settings

STAGES: dict[str, type[Receipt]] = {
    "accept": receipts.AcceptReceipt,
    "check": receipts.CheckReceipt,
    "spread": receipts.SpreadReceipt,
    "build": receipts.BuildReceipt,
    "reconcile": receipts.ReconcileReceipt,
    "publish": receipts.PublishReceipt,
}
"""The stages of a night in their order, and the form of what each leaves."""

MAY_DIFFER = {"run", "night", "workers", "memory", "keep", "snapshot_date"}
"""Settings that two runs of one night may differ in, and the date, which stands for itself."""

MADE_FROM = {
    "snapshot_date": "for another date",
    "previous": "before another snapshot was published",
    "made_with": "by another program, or with other reference data",
    "settings": "with other settings",
}
"""What is said of a receipt of another night, by what it was made from."""


class MissingError(Exception):
    """A stage was not done in this night, or what it left does not fit any more; the text says which and why.

    ``done``: it was done, and doesn't fit.
    """

    def __init__(self, stage: str, why: str, *, done: bool = True) -> None:
        super().__init__(f"{stage} {why}")
        self.stage, self.done = stage, done
        self.code = "L3-STAGE-OTHER" if done else "L3-STAGE-MISSING"
        if stage == "reconcile":
            self.code = "L3-NOT-RECONCILED"


def night_of(run: Settings) -> NightOf:
    """What a night that is run now is made from. Raises ``HomeDamagedError`` and ``ReferenceFileError``."""
    reference_data = {"rates": reference.read_rates(run.rates), "kravtyper": reference.read_kravtyper(run.kravtyper)}
    digests = {name: hashlib.sha256(data.write_json().encode()).hexdigest() for name, data in reference_data.items()}
    previous = run.previous()
    return NightOf(
        snapshot_date=run.snapshot_date,
        previous=previous.name if previous else None,
        made_with=CODE | digests,
        settings={name: _as_text(value) for name, value in vars(run).items() if name not in MAY_DIFFER},
    )


def _as_text(value: object) -> str:
    return str(value.resolve() if isinstance(value, Path) else value)


def begun(run: Settings) -> str:
    """The run that began the night that a run would go on with: the last that has accepted anything, else itself."""
    accepted = sorted(run.nights.glob("*/receipts/accept.json"), key=lambda path: path.stat().st_mtime_ns)
    return accepted[-1].parent.parent.name if accepted else run.run


class Left(dict[str, Receipt]):
    """Receipts by stage, in the stages' order; each of its own form."""

    sha256: str = ""
    """Of the last one, as it was read: what the next is bound to."""

    @property
    def accept(self) -> receipts.AcceptReceipt:
        """What ``accept`` left."""
        return cast(receipts.AcceptReceipt, self["accept"])

    @property
    def check(self) -> receipts.CheckReceipt:
        """What ``check`` left."""
        return cast(receipts.CheckReceipt, self["check"])

    @property
    def spread(self) -> receipts.SpreadReceipt:
        """What ``spread`` left."""
        return cast(receipts.SpreadReceipt, self["spread"])

    @property
    def build(self) -> receipts.BuildReceipt:
        """What ``build`` left."""
        return cast(receipts.BuildReceipt, self["build"])

    @property
    def reconcile(self) -> receipts.ReconcileReceipt:
        """What ``reconcile`` left."""
        return cast(receipts.ReconcileReceipt, self["reconcile"])


def before(stage: str) -> list[str]:
    """The stages before one."""
    return list(itertools.takewhile(lambda name: name != stage, STAGES))


def through(run: Settings, last: str) -> Left:
    """What the stages through the ``last`` have left for this night. Raises ``MissingError``."""
    return _left(itertools.islice(read(run), len(before(last)) + 1))


def fitting(run: Settings) -> Left:
    """What the stages have left for this night, as far as they were done."""
    return _left(_until_missing(read(run)))


def _until_missing(found: Iterator[tuple[str, Receipt, str]]) -> Iterator[tuple[str, Receipt, str]]:
    with contextlib.suppress(MissingError):
        yield from found


def _left(found: Iterator[tuple[str, Receipt, str]]) -> Left:
    left = Left()
    for stage, receipt, sha256 in found:
        left[stage], left.sha256 = receipt, sha256
    return left


def forget(run: Settings, stage: str) -> None:
    """Removes the receipts of a stage that is done again, and of those after it."""
    for later in itertools.dropwhile(lambda name: name != stage, STAGES):
        _path(run, later).unlink(missing_ok=True)


def write(run: Settings, stage: str, receipt: Receipt, cost: Measured, upstream: str) -> Receipt:
    """Writes the receipt of a stage with what it cost and the sizes of the files that it left. Returns it as written.

    ``upstream``: the sha256 of the receipt before it, as the stage was given it.

    Of the last none is written: after it the night is over, and nothing may fail that has been published.
    """
    spent = {"seconds": round(cost.seconds, 2), "peak_memory_mb": cost.peak_mb}
    receipt = receipt.model_copy(update={"run": run.run, "counts": receipt.counts.model_copy(update=spent)})
    if isinstance(receipt, receipts.PublishReceipt):
        return receipt
    files = (path for folder in _folders(run, stage, receipt) for path in folder.rglob("*") if path.is_file())
    sizes = {str(path.relative_to(run.path)): path.stat().st_size for path in files}
    whole = receipt.model_copy(update={"upstream": upstream, "files": sizes})
    _path(run, stage).parent.mkdir(parents=True, exist_ok=True)
    # not flushed, as the files that it tells of are not: of what a power cut leaves, nothing else is told done
    write_json(_path(run, stage), whole.model_dump(mode="json"), flush=False)
    return whole


def _folders(run: Settings, stage: str, receipt: Receipt) -> list[Path]:
    """Where the files are that a stage has left."""
    if isinstance(receipt, receipts.AcceptReceipt):
        return [run.deliveries / delivery.folder for delivery in receipt.in_force]
    return [run.snapshot(receipt.snapshot) if isinstance(receipt, receipts.BuildReceipt) else run.work / stage]


def read(run: Settings) -> Iterator[tuple[str, Receipt, str]]:
    """The stages done in this night, their receipts and the sha256 of these, in order.

    Raises ``MissingError`` at the first that is not there, or is of something else.
    """
    upstream = ""
    for stage, form in STAGES.items():
        path = _path(run, stage)
        if not path.is_file():
            raise MissingError(stage, "was not done", done=False)
        content = path.read_bytes()
        try:
            receipt = form.model_validate_json(content)
        except ValidationError:
            raise MissingError(stage, "left a receipt that cannot be read") from None
        if why := _misfit(run, receipt, upstream):
            raise MissingError(stage, why)
        upstream = hashlib.sha256(content).hexdigest()
        yield stage, receipt, upstream


def _misfit(run: Settings, receipt: Receipt, upstream: str) -> str:
    """Why a receipt is not of this night; nothing if it is."""
    if isinstance(receipt, receipts.AcceptReceipt):
        now = night_of(run)
        for field, words in MADE_FROM.items():
            if getattr(receipt.night, field) != getattr(now, field):
                return f"was done {words}"
    if receipt.upstream != upstream:
        return "was done before the stage before it was done again"
    files = ((run.path / name, size) for name, size in receipt.files.items())
    if not all(path.is_file() and path.stat().st_size == size for path, size in files):
        return "left files that are gone, or not as long as they were"
    return ""


def _path(run: Settings, stage: str) -> Path:
    return run.work / "receipts" / f"{stage}.json"
