"""The partitions: one a day in Oslo, so that a night that did not run is a gap."""

from datetime import date, datetime

import dagster as dg

from pipelines.known import Known
from pipelines.settings import first_night
from schemas.snapshot import OSLO

PARTITION = "dagster/partition"
"""The tag of a run that holds its snapshot date."""


def today() -> date:
    """The day that it is in Oslo."""
    return datetime.now(OSLO).date()


def nights(known: Known) -> dg.DailyPartitionsDefinition:
    """From the home's first night, or the one that the environment says, through today's."""
    return _nights(first_night() or known.first_night() or today())


def nights_with(day: date) -> dg.DailyPartitionsDefinition:
    """Partitions that have the day, whichever it is: the command line runs any date, also one that the UI lacks."""
    return _nights(day, max((day - today()).days, 0))


def _nights(first: date, after_today: int = 0) -> dg.DailyPartitionsDefinition:
    """``end_offset`` counts from the last whole day, which is yesterday."""
    return dg.DailyPartitionsDefinition(
        start_date=datetime.combine(first, datetime.min.time()), timezone=str(OSLO), end_offset=1 + after_today
    )
