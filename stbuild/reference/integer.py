"""Integer operations on int64 tensors: rounding shift, saturation, bit length, square root."""

import torch
from torch import Tensor

from stbuild.ir.fixed import INT32_MAX

MAX_SHIFT = 62


def rsr(x: Tensor, shift: Tensor | int) -> Tensor:
    """`x / 2^shift`, halves upwards; a negative shift multiplies `x` clamped to int32 by up to 2^31."""
    if isinstance(shift, int):
        return _right(x, shift) if shift >= 0 else _left(x, -shift)
    if bool((shift >= 0).all()):
        return _right_each(x, shift)
    return torch.where(shift >= 0, _right_each(x, shift), _left_each(x, shift))


def sat(x: Tensor) -> Tensor:
    """`x` clamped to +-(2^31 - 1)."""
    return x.clamp(-INT32_MAX, INT32_MAX)


def bitlen(x: Tensor) -> Tensor:
    """0 for 0, else floor(log2 x) + 1, of 0 <= x < 2^53."""
    return torch.frexp(x.double()).exponent.long()


def isqrt(x: Tensor) -> Tensor:
    """The greatest integer whose square is at most `x`, for 0 <= x < 2^62."""
    root = x.double().sqrt().long()
    root = root - (root * root > x).long()
    return root + ((root + 1) * (root + 1) <= x).long()


def _right(x: Tensor, shift: int) -> Tensor:
    shift = min(shift, MAX_SHIFT)
    return (x + (1 << (shift - 1))) >> shift if shift else x


def _left(x: Tensor, shift: int) -> Tensor:
    return sat(x) << min(shift, 31)


def _right_each(x: Tensor, shift: Tensor) -> Tensor:
    shift = shift.clamp(0, MAX_SHIFT)
    half = torch.ones_like(shift) << (shift - 1).clamp(min=0)
    return (x + torch.where(shift > 0, half, torch.zeros_like(half))) >> shift


def _left_each(x: Tensor, shift: Tensor) -> Tensor:
    return sat(x) << (-shift).clamp(0, 31)
