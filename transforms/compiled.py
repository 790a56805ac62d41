"""What Numba compiles to machine code: loops over bytes, for which no column engine has a word."""

from collections.abc import Callable
from typing import Any

import numba
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compiles the function when it is first called, and lets other threads run beside it.

    What was compiled is kept beside the source, or where the user's caches are, for the next process; where neither
    can be written, it is compiled anew. Only its own file's change is seen: what it calls should stand in the same.
    """
    try:
        return numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    except RuntimeError:  # no place to keep it
        return numba.njit(nogil=True, error_model="numpy")(function)


@intrinsic
def copy_bytes(typing_context, out, at, data, start, length):  # type: ignore[no-untyped-def]
    """Within a compiled function: copies so many bytes of ``data`` from ``start`` to ``out`` at ``at``; none may be
    outside.

    The C library's ``memcpy``: a slice's assignment takes four times as long for short texts, as would a loop.
    """

    def generate(context, builder, signature, given):  # type: ignore[no-untyped-def]
        def address(array: int, place: int) -> Any:
            values = make_array(signature.args[array])(context, builder, value=given[array])
            return builder.gep(values.data, [given[place]])

        cgutils.raw_memcpy(builder, address(0, 1), address(2, 3), given[4], 1)
        return context.get_dummy_value()

    return types.none(out, types.intp, data, types.intp, types.intp), generate


@intrinsic
def copy_from(typing_context, out, at, address, length):  # type: ignore[no-untyped-def]
    """Within a compiled function: copies so many bytes from an address in memory to ``out`` at ``at``."""

    def generate(context, builder, signature, given):  # type: ignore[no-untyped-def]
        values = make_array(signature.args[0])(context, builder, value=given[0])
        source = builder.inttoptr(given[2], values.data.type)
        cgutils.raw_memcpy(builder, builder.gep(values.data, [given[1]]), source, given[3], 1)
        return context.get_dummy_value()

    return types.none(out, types.intp, types.intp, types.intp), generate


@intrinsic
def eight_bytes(typing_context, data, at):  # type: ignore[no-untyped-def]
    """Within a compiled function: eight bytes of ``data`` at ``at`` as a number, the first the least."""

    def generate(context, builder, signature, given):  # type: ignore[no-untyped-def]
        values = make_array(signature.args[0])(context, builder, value=given[0])
        number = context.get_value_type(types.uint64)
        place = builder.bitcast(builder.gep(values.data, [given[1]]), number.as_pointer())
        return builder.load(place, align=1)

    return types.uint64(data, types.intp), generate


@intrinsic
def copy_sixteen(typing_context, out, at, data, start):  # type: ignore[no-untyped-def]
    """Within a compiled function: copies sixteen bytes of ``data`` from ``start`` to ``out`` at ``at``."""

    def generate(context, builder, signature, given):  # type: ignore[no-untyped-def]
        sixteen = ir.VectorType(ir.IntType(8), 16).as_pointer()

        def place(array: int, at: int) -> Any:
            values = make_array(signature.args[array])(context, builder, value=given[array])
            return builder.bitcast(builder.gep(values.data, [given[at]]), sixteen)

        builder.store(builder.load(place(2, 3), align=1), place(0, 1), align=1)
        return context.get_dummy_value()

    return types.none(out, types.intp, data, types.intp), generate
