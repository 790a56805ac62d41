"""Tells of a night at its end, and looks at the clock from Dagster: ``alarms``, with what the operator has settled."""

from collections.abc import Callable
from pathlib import Path

import dagster as dg

from pipelines.settings import default_home, default_inbox, operations_or_last
from schemas.operations import OperationsError
from transforms.home.report import told

AT_END, AT_LOOK = 10.0, 30.0
"""Seconds that a receiver may hold up the end of a night, and a look; what it has not taken by then is sent later."""


def tell_of_night(home: Path, run_id: str, why_not: str, say: Callable[[str], None]) -> None:
    """Tells of the run, or ``why_not`` it could begin. Whatever fails here, what the night has done stays as it is."""
    try:
        from alarms.telling import after_night, tell_of_settings  # here, for a fault in it is none of the night's

        settles, wrong = operations_or_last(home)
        if wrong and not settles.webhook:
            say(f"nobody was told of the night: {wrong}")
        if wrong:
            tell_of_settings(home, wrong, settles, AT_END, say)
        after_night(home, run_id, why_not, settles, AT_END, say)
    except Exception as error:
        say(f"nobody was told of the night: {told(error)}")


@dg.sensor(minimum_interval_seconds=300, default_status=dg.DefaultSensorStatus.STOPPED)
def watch(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Tells whom ``operations.toml`` names of a night that died, a snapshot or a delivery that is overdue, and what
    could not be told before. The same as ``kravoversikt alarms check``, which needs no Dagster.
    """
    from alarms.telling import look, tell_of_settings

    home = default_home()
    settles, wrong = operations_or_last(home)
    if wrong:
        tell_of_settings(home, wrong, settles, AT_LOOK, context.log.warning)
    found = look(home, default_inbox(), settles, AT_LOOK, context.log.warning)
    if wrong:  # the tick fails, for whoever looks at Dagster
        raise OperationsError(wrong)
    return dg.SkipReason("; ".join(message.sentence for message in found) or "all is well")
