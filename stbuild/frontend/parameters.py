"""Which element of a parameter is combined with which element of a vector, by the rules of broadcasting."""

import math

import numpy as np

from stbuild.frontend.values import Index, Weight


def is_per_element(weight: Weight, index: Index, period: int) -> bool:
    """True if element i of `weight` is combined with exactly the elements i modulo `period`.

    `index` holds the numbers of a vector's elements in the layout of the tensor that meets the parameter.
    """
    if sum(n != 1 for n in weight.shape) > 1 or math.prod(weight.shape) != period:
        return False
    met = broadcast_elements(weight, index, period)
    return met is not None and bool((met == np.arange(period)).all())


def broadcast_elements(weight: Weight, index: Index, period: int) -> Index | None:
    """The element of `weight` for each element of a period; None if periods differ."""
    try:
        shape = np.broadcast_shapes(weight.shape, index.shape)
    except ValueError:
        return None
    if math.prod(shape) != index.size:
        return None
    own = np.broadcast_to(np.arange(math.prod(weight.shape)).reshape(weight.shape), shape).reshape(-1)
    place = np.broadcast_to(index, shape).reshape(-1) % period
    met = np.full(period, -1)
    met[place] = own
    return met if bool((met[place] == own).all()) and bool((met >= 0).all()) else None
