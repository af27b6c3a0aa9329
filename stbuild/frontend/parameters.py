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
    try:
        shape = np.broadcast_shapes(weight.shape, index.shape)
    except ValueError:
        return False
    if math.prod(shape) != index.size:
        return False
    met = np.broadcast_to(np.arange(period).reshape(weight.shape), shape)
    return bool((met == np.broadcast_to(index, shape) % period).all())
