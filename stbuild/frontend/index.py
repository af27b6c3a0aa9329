"""Layout operators, applied to arrays of element numbers instead of data."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from stbuild.frontend.untyped import FxTarget, FxValue

Index = NDArray[np.int64]
_aten = torch.ops.aten


def view(index: Index, *args: object, shape: tuple[int, ...]) -> Index:
    """Any reshape: the graph knows the result's `shape`."""
    return index.reshape(shape)


def permute(index: Index, dims: list[int], *, shape: tuple[int, ...]) -> Index:
    """`aten.permute`."""
    return index.transpose(dims)


def swap(index: Index, a: int, b: int, *, shape: tuple[int, ...]) -> Index:
    """`aten.transpose.int`."""
    return index.swapaxes(a, b)


def transpose_2d(index: Index, *, shape: tuple[int, ...]) -> Index:
    """`aten.t`."""
    return index.T


def expand(index: Index, *args: object, shape: tuple[int, ...], **kwargs: object) -> Index:
    """`aten.expand`."""
    return np.broadcast_to(index, shape)


def slice_dim(
    index: Index, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1,
    *, shape: tuple[int, ...],
) -> Index:  # fmt: skip
    """`aten.slice`."""
    where: list[slice] = [slice(None)] * index.ndim
    where[dim] = slice(start, end, step)
    return index[tuple(where)]


def select(index: Index, dim: int, at: int, *, shape: tuple[int, ...]) -> Index:
    """`aten.select.int`."""
    return np.asarray(index.take(at, axis=dim))


def identity(index: Index, *args: object, shape: tuple[int, ...], **kwargs: object) -> Index:
    """An operator that leaves the layout as it is."""
    return index


def chunks(index: Index, sizes: int | list[int], dim: int = 0, **_: object) -> tuple[Index, ...]:
    """`aten.split` and `aten.split_with_sizes`."""
    length = index.shape[dim]
    steps = [sizes] * -(-length // sizes) if isinstance(sizes, int) else list(sizes)
    return tuple(np.split(index, np.cumsum(steps)[:-1], axis=dim))


def equal_chunks(index: Index, count: int, dim: int = 0, **_: object) -> tuple[Index, ...]:
    """`aten.chunk`."""
    return chunks(index, -(-index.shape[dim] // count), dim)


def unbind(index: Index, dim: int = 0, **_: object) -> tuple[Index, ...]:
    """`aten.unbind`."""
    return tuple(np.asarray(index.take(i, axis=dim)) for i in range(index.shape[dim]))


def repeat(index: Index, times: list[int], *, shape: tuple[int, ...]) -> Index:
    """`aten.repeat`."""
    return np.tile(index, times)


def repeat_interleave(
    index: Index, times: int, dim: int | None = None, *, shape: tuple[int, ...], **_: object
) -> Index:
    """`aten.repeat_interleave.self_int`."""
    return np.repeat(index, times, axis=dim)


LAYOUT: dict[FxTarget, Callable[..., FxValue]] = {
    _aten.view.default: view,
    _aten._unsafe_view.default: view,
    _aten.reshape.default: view,
    _aten.unsqueeze.default: view,
    _aten.squeeze.default: view,
    _aten.squeeze.dim: view,
    _aten.squeeze.dims: view,
    _aten.permute.default: permute,
    _aten.transpose.int: swap,
    _aten.t.default: transpose_2d,
    _aten.numpy_T.default: transpose_2d,
    _aten.expand.default: expand,
    _aten.expand_as.default: expand,
    _aten.slice.Tensor: slice_dim,
    _aten.select.int: select,
    _aten.clone.default: identity,
    _aten.alias.default: identity,
    _aten.detach.default: identity,
    _aten.contiguous.default: identity,
    _aten.dropout.default: identity,
    _aten.lift_fresh_copy.default: identity,
    _aten._to_copy.default: identity,
    _aten.to.dtype: identity,
    _aten.to.dtype_layout: identity,
    _aten.to.device: identity,
    _aten.flatten.using_ints: view,
    _aten.unflatten.int: view,
    _aten.view_as.default: view,
    _aten.split.Tensor: chunks,
    _aten.split_with_sizes.default: chunks,
    _aten.chunk.default: equal_chunks,
    _aten.unbind.int: unbind,
    _aten.repeat.default: repeat,
    _aten.repeat_interleave.self_int: repeat_interleave,
}
"""ATen operators that only arrange elements, as functions of the element numbers."""
