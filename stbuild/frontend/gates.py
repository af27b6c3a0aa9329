"""Broadcasting: a scalar, a number per head or another small value combined with a whole vector.

Ops work element by element, so a smaller value is made as wide as the vector: a parameter by repeating its
elements, a computed value by repeating the rows of the matrix that it comes from.
"""

import math
from dataclasses import replace

import numpy as np

from stbuild.frontend.builder import param
from stbuild.frontend.call import Call
from stbuild.frontend.derivations import rows_of
from stbuild.frontend.parameters import broadcast_elements, is_per_element
from stbuild.frontend.rows import with_rows
from stbuild.frontend.values import Vec, Weight
from stbuild.ir.param import Param

_HINT = "numbers by token or by head come from a linear layer of their own, or from a parameter"


def parameter_of(call: Call, weight: Weight, x: Vec) -> Param | None:
    """`weight` broadcast to a parameter with one element for each of `x`; None if it cannot be."""
    if is_per_element(weight, x.index, x.width):
        return param(weight, (x.width,))
    transposed = weight.transposed and sum(n != 1 for n in weight.shape) > 1
    met = None if transposed else broadcast_elements(weight, x.index, x.width)
    rows = None if met is None else rows_of(met)
    if rows is None:
        return None
    return call.builder.derivations.rows(param(weight, (math.prod(weight.shape),)), rows)


def broadcast_together(call: Call, a: Vec, b: Vec) -> tuple[Vec, Vec] | None:
    """Both as wide as the wider one; None if neither or both have fewer elements than the result."""
    size = math.prod(call.shape)
    few = [_distinct(v) < size for v in (a, b)]
    if few == [False, True]:
        a = call.builder.whole(a)
        return a, _repeated_over(call, b, a)
    if few == [True, False]:
        b = call.builder.whole(b)
        return _repeated_over(call, a, b), b
    return None


def _distinct(vec: Vec) -> int:
    return int(np.unique(vec.index).size)


def _repeated_over(call: Call, vec: Vec, over: Vec) -> Vec:
    """`vec` with its elements repeated, so that element i is the one combined with element i of `over`."""
    own, others = (np.broadcast_to(v.index, call.shape).reshape(-1) for v in (vec, over))
    met = np.full(over.width, -1)
    met[others % over.width] = own % vec.width
    rows = rows_of(met)
    same_token = np.array_equal(own // vec.width, others // over.width)
    always = np.array_equal(met[others % over.width], own % vec.width) and over.index.size == own.size
    if rows is None or not same_token or not always:
        raise call.error(
            f"a vector of {vec.width} elements meets one of {over.width} in no regular order", hint=_HINT
        )
    made = with_rows(call.builder, vec.source, rows)
    if made is None:
        op = type(call.builder.op(vec.source)).__name__
        raise call.error(f"each element of a {op} meets several elements of a vector", hint=_HINT)
    return replace(over, source=made)
