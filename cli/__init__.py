"""The command line: what the operator, the analyst and the integrator type."""

import pipelines  # noqa: F401 - tells Polars' allocator, and so comes before Polars
