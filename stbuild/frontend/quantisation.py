"""How a checkpoint says that AWQ or GPTQ quantised it; refuses what the card cannot take as stored."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from stbuild.errors import StbuildError
from stbuild.limits import GROUPS

FLOATS = "give the floating-point checkpoint, which stbuild quantises itself, or a GGUF file"
WHOLE_ROW = -1
"""The `group_size` of one scale for all columns of a row."""
_ZEROS_LESS_ONE = {"gptq": True, "gptq_v2": False}
"""By the `checkpoint_format` of GPTQ: whether the stored zero points are one less than those meant."""


class Method(Enum):
    """Who quantised the matrices, by the name in config.json."""

    AWQ = "awq"
    GPTQ = "gptq"


@dataclass(frozen=True, kw_only=True)
class Quantisation:
    """4 bits with a scale and a zero point for every `group` columns of a row, or for all (`WHOLE_ROW`).

    `less_one`: the stored zero points are one less. `symmetric`: all of them are 8.
    """

    method: Method
    group: int
    less_one: bool = False
    symmetric: bool = False

    @property
    def label(self) -> str:
        """What users call it."""
        return self.method.name


def folder_quantisation(folder: Path) -> Quantisation | None:
    """What the config.json of a Hugging Face folder says; None for floats and without such a file."""
    file = folder / "config.json"
    try:
        config = json.loads(file.read_text())
        stated = config.get("quantization_config")
    except (OSError, ValueError, AttributeError):
        return None
    return None if stated is None else read_quantisation(stated, "config.json", str(folder))


def read_quantisation(stated: object, what: str, where: str | None) -> Quantisation:
    """A `quantization_config`, a dict or an object of transformers, that `what` gives.

    Raises StbuildError for another method, and for what the two have beside 4 bits in whole groups in order.
    """
    given = _as_mapping(stated)
    name = str(getattr(given.get("quant_method"), "value", given.get("quant_method", "unknown"))).lower()
    refuse = _Refusal(what=what, where=where)
    if name not in {m.value for m in Method}:
        raise refuse(f"the weights are quantised by {name!r}, which is not supported")
    method = Method(name)
    bits, group = given.get("bits", given.get("w_bit")), given.get("group_size", given.get("q_group_size"))
    if bits != 4:
        raise refuse(f"{method.name} has {bits} bits; stbuild takes 4")
    if not isinstance(group, int) or not _is_whole(group):
        raise refuse(f"{method.name} has groups of {group} columns; stbuild takes multiples of 32, and -1")
    return _awq(given, group, refuse) if method is Method.AWQ else _gptq(given, group, refuse)


@dataclass(frozen=True, kw_only=True)
class _Refusal:
    """Makes the error for what the configuration says."""

    what: str
    where: str | None

    def __call__(self, sentence: str, hint: str = FLOATS) -> StbuildError:
        return StbuildError(f"{self.what} says that {sentence}", where=self.where, hint=hint)


def _is_whole(group: int) -> bool:
    return group == WHOLE_ROW or (group > 0 and group % GROUPS[0] == 0)


def _as_mapping(stated: object) -> Mapping[str, object]:
    if isinstance(stated, dict):
        return stated
    to_dict = getattr(stated, "to_dict", None)
    made = to_dict() if callable(to_dict) else vars(stated)
    return made if isinstance(made, dict) else {}


def _awq(given: Mapping[str, object], group: int, refuse: _Refusal) -> Quantisation:
    version = getattr(given.get("version"), "value", given.get("version", "gemm"))
    if str(version).lower() != "gemm":
        raise refuse(f"AWQ packed the weights for its {version!r} kernels; stbuild reads 'gemm'")
    if not given.get("zero_point", True):
        raise refuse("AWQ stored no zero points, which is not supported")
    return Quantisation(method=Method.AWQ, group=group)


def _gptq(given: Mapping[str, object], group: int, refuse: _Refusal) -> Quantisation:
    form = given.get("checkpoint_format") or "gptq"
    form = "marlin" if given.get("is_marlin_format") else str(getattr(form, "value", form))
    if form not in _ZEROS_LESS_ONE:
        raise refuse(f"GPTQ stored the weights in the format {form!r}; stbuild reads 'gptq' and 'gptq_v2'")
    if given.get("desc_act") and group != WHOLE_ROW:
        raise refuse(
            "GPTQ ordered the columns by their activations (desc_act), which is not supported",
            hint="quantise with desc_act=False, or give the floating-point checkpoint",
        )
    return Quantisation(
        method=Method.GPTQ, group=group, less_one=_ZEROS_LESS_ONE[form], symmetric=given.get("sym") is True
    )
