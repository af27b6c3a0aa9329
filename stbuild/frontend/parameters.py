"""Which element of a parameter meets which element of a vector, by the rules of broadcasting."""

import math

import numpy as np

from stbuild.frontend.values import Index, Weight


def is_per_element(weight: Weight, index: Index, period: int) -> bool:
    """True if element i of `weight` meets just the elements that are i modulo `period`.

    `index` holds the numbers of a vector's elements, laid out as the tensor that meets the parameter.
    """
    if sum(n != 1 for n in weight.shape) > 1 or math.prod(weight.shape) != period:
        return False
    met = met_by(weight, index, period)
    return met is not None and bool((met == np.arange(period)).all())


def met_by(weight: Weight, index: Index, period: int) -> Index | None:
    """The element of `weight` that each element modulo `period` meets; None if that is not one for all."""
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
