"""What a schema can't say of a request that is right: the part is the one with the consent, the period at most a year,
and the document is the one in ``If-Match``.

Read by schemathesis in a process of its own; ``PART`` in its environment is the part.
"""

import os

import schemathesis
from schemathesis.generation import GenerationMode


@schemathesis.hook
def before_call(context, case, kwargs):
    """Makes the cases that are meant to be right so; those meant to be wrong are left as they are."""
    if case.meta is None or case.meta.generation.mode != GenerationMode.POSITIVE:
        return
    (case.headers or {}).pop("If-Match", None)
    if "part" in (case.path_parameters or {}):
        case.path_parameters["part"] = os.environ["PART"]
    if "fraOgMed" in (case.query or {}):
        year = case.query["fraOgMed"][:4]
        case.query["fraOgMed"], case.query["tilOgMed"] = f"{year}-01-01", f"{year}-12-31"
