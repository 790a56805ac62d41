"""The Dagster wiring: assets of a few lines around the stages of ``transforms.night``.

Nothing is computed here. Configuration is read in ``settings`` and nowhere else.
"""

from pipelines.settings import tell_allocator

tell_allocator()  # here, for Polars must not be loaded before
