"""The float check's sums, which are in float32, beside the exact ones of the reference."""

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import cosine_similarity

from stbuild.ir.packed import PackedMatrix
from stbuild.reference.dual_run import Sample, dequantised, matrix_of
from stbuild.reference.interpreter import OUTPUTS, Reference
from stbuild.reference.linear import linear, quantise
from tests.floats import run_of
from tests.models import tiny_llama

TOLERANCE = 2e-6
"""Of a vector's length: fifty times below the least that the check tells apart, 1e-4."""


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize(("cols", "group"), [(64, 32), (576, 32), (4096, 128), (11008, 128)])
@pytest.mark.parametrize("frac_in", [0, 12, 16, 30])
def test_a_sum_in_float32_is_near_the_exact_one(bits: int, cols: int, group: int, frac_in: int) -> None:
    rng = np.random.default_rng(cols + bits)
    make = PackedMatrix.affine4 if bits == 4 else PackedMatrix.symmetric8
    size = np.exp2(rng.integers(-6, 3, (48, 1)))
    packed = make((rng.normal(size=(48, cols)) * size).astype(np.float32), group)
    x = rng.normal(size=(4, cols)) * np.exp2(rng.integers(8, 20, (4, 1)))
    quantised = quantise(torch.from_numpy(np.rint(x)).long())
    frac_out = min(frac_in + 2, 30)
    exact = linear(quantised, packed, frac_in, frac_out, map).double() * 2.0**-frac_out
    ours = (dequantised(quantised, frac_in) @ matrix_of(packed).card.T).double()
    away = (ours - exact).norm(dim=1)
    rounding = 2.0**-frac_out * 48**0.5
    assert (away <= TOLERANCE * exact.norm(dim=1) + rounding).all(), away / exact.norm(dim=1)


class Kept:
    """The integers of every value."""

    def __init__(self) -> None:
        self.exact: dict[tuple[str, int, str], Any] = {}

    def add(self, sample: Sample) -> None:
        self.exact[sample.block.name, sample.run, sample.op.name] = sample.exact


def test_a_model_s_integers_are_near_those_of_the_reference() -> None:
    run = run_of(tiny_llama())
    kept_by_check = Kept()
    run.run(kept_by_check)
    reference = Reference(graph=run.graph, weights=run.weights, tables=run.tables)
    tokens = run.prompts[0].ids[: run.exact_rows]
    kept = reference.run(tokens, keep=(OUTPUTS,), all_logits=True).kept
    assert len(kept) == 4
    for place, exact in kept.items():
        near = cosine_similarity(exact.double(), kept_by_check.exact[place].double(), dim=1)
        assert near.min() > 0.99999, (place, near)
