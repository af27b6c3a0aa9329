"""RMS norm and layer norm over segments of a vector."""

import torch
from torch import Tensor

from stbuild.ir.fixed import PARAM_FRAC, norm_epsilon
from stbuild.ops.norm import Norm
from stbuild.reference.integer import bitlen, isqrt, rsr, sat


def norm(op: Norm, x: Tensor, frac_in: int, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    """Normalise every `op.segment` elements of [T, width]; `weight` and `bias` are int64 [segment]."""
    groups = x.reshape(len(x), -1, op.segment)
    if op.center:
        mean = (groups.sum(dim=2, keepdim=True) + op.elements // 2) // op.elements
        groups = sat(groups - mean)
        groups[..., op.elements :] = 0
    scaled = _normalise(groups, op.elements, norm_epsilon(op.eps, frac_in))
    factor = weight if weight is not None else torch.tensor(1 << PARAM_FRAC)
    result = rsr(scaled * factor, 36 - op.frac)
    if bias is not None:
        result = result + sat(rsr(bias, PARAM_FRAC - op.frac))
    return sat(result).reshape(x.shape)


def _normalise(x: Tensor, count: int, epsilon: int) -> Tensor:
    """`x / sqrt(mean(x^2) + epsilon)` of `count` elements of the last dimension, with 20 fraction bits."""
    h = (bitlen(x.abs().amax(dim=2, keepdim=True)) - 23).clamp(min=0)
    y = x >> h
    v = (y * y).sum(dim=2, keepdim=True) // count + (torch.full_like(h, epsilon) >> (2 * h))
    v = v.clamp(min=1)
    z = (62 - bitlen(v)) & ~1
    root = isqrt(v << z)
    inverse = (2**61 // root) >> 7
    return rsr(x * inverse, 34 + h - z // 2)
