"""Values that meet several elements of a vector each: scalars, numbers by head, and others that broadcast.

Ops work element by element, so a smaller value is made as wide as the vector: a parameter by repeating its
elements, a computed value by repeating the rows of the matrix that it comes from.
"""

import math
from dataclasses import replace

import numpy as np

from stbuild.frontend.builder import param
from stbuild.frontend.call import Call
from stbuild.frontend.derivations import rows_of
from stbuild.frontend.parameters import is_per_element, met_by
from stbuild.frontend.rows import with_rows
from stbuild.frontend.values import Vec, Weight
from stbuild.ir.graph import Param

_HINT = "numbers by token or by head come from a linear layer of their own, or from a parameter"


def parameter_of(call: Call, weight: Weight, x: Vec) -> Param | None:
    """`weight` as a parameter with an element for each of the whole `x`; None where they do not broadcast."""
    if is_per_element(weight, x.index, x.width):
        return param(weight, (x.width,))
    turned = weight.transposed and sum(n != 1 for n in weight.shape) > 1
    met = None if turned else met_by(weight, x.index, x.width)
    rows = None if met is None else rows_of(met)
    if rows is None:
        return None
    return call.builder.derivations.rows(param(weight, (math.prod(weight.shape),)), rows)


def side_by_side(call: Call, a: Vec, b: Vec) -> tuple[Vec, Vec] | None:
    """The two with equal places if one broadcasts over the other; None if they have as many elements."""
    size = math.prod(call.shape)
    few = [_distinct(v) < size for v in (a, b)]
    if few == [False, True]:
        a = call.builder.whole(a)
        return a, _spread(call, b, a)
    if few == [True, False]:
        b = call.builder.whole(b)
        return _spread(call, a, b), b
    return None


def _distinct(vec: Vec) -> int:
    return int(np.unique(vec.index).size)


def _spread(call: Call, vec: Vec, over: Vec) -> Vec:
    """`vec` with as many elements as `over`, each where that of `over` is which it meets."""
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
