"""Where the numbers of a model come from, by the names that the graph's parameters carry."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from stbuild.ir.packed import PackedMatrix


class Tensors(Protocol):
    """A model's tensors by name: what `reference` interprets and what is packed for the card."""

    def matrix(self, name: str) -> PackedMatrix:
        """The weight of a Linear as the op uses it, [rows, cols], in the card's precision.

        Where the checkpoint holds the transpose (`Param.transposed`), this is transposed already.
        """
        ...

    def array(self, name: str) -> NDArray[np.float32]:
        """Any other tensor, as floats: norms, biases, embeddings (dequantised when they are packed)."""
        ...

    def rows(self, name: str, start: int, stop: int) -> NDArray[np.float32]:
        """Rows `start` to `stop` of `array(name)`, without reading the others where that is possible."""
        ...
