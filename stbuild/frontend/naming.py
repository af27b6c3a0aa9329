"""Short, readable names of ops and values, from the modules and parameters they come from."""

import re
from dataclasses import fields, replace

from stbuild.ir.op import Op
from stbuild.ir.param import Param
from stbuild.ops.add_param import AddParam
from stbuild.ops.embed import Embed
from stbuild.ops.linear import Linear
from stbuild.ops.map import Map
from stbuild.ops.mul_param import MulParam
from stbuild.ops.norm import Norm
from stbuild.ops.position_embed import PositionEmbed

_OF_MODULE = (Linear, Norm, Embed, PositionEmbed)
_OF_PARAM = (AddParam, MulParam)


class Namer:
    """Gives the ops of one block unique names; `known` maps the old names to the new ones."""

    def __init__(self, inputs: tuple[str, ...]) -> None:
        self._used: dict[str, int] = {}
        self.inputs = tuple(self._unique("hidden") for _ in inputs)
        self.known = dict(zip(inputs, self.inputs, strict=True))

    def name(self, op: Op) -> Op:
        """`op` with its new name, reading values by their new names."""
        name = self._unique(wanted_name(op))
        renamed = replace(op.reading(self.known), name=name)
        self.known[op.name] = name
        return renamed

    def _unique(self, name: str) -> str:
        count = self._used.get(name, 0)
        self._used[name] = count + 1
        return (
            self._unique(f"{name}_{count}")
            if count and f"{name}_{count}" in self._used
            else (f"{name}_{count}" if count else name)
        )


def wanted_name(op: Op) -> str:
    """The preferred name of an op, before it is made unique."""
    if isinstance(op, _OF_MODULE):
        return _module_name(op)
    if isinstance(op, _OF_PARAM):
        return _identifier("_".join(op.param.names[0].split(".")[-2:]))
    if isinstance(op, Map):
        return _identifier(op.function)
    return type(op).__name__.lower()


def common_origin(origins: tuple[str, ...]) -> str:
    """`layers.*.mlp` for layers.0.mlp, layers.1.mlp, ...; the first where they differ otherwise."""
    parts = [o.split(".") for o in origins]
    if any(len(p) != len(parts[0]) for p in parts):
        return origins[0]
    return ".".join(p[0] if len(set(p)) == 1 else "*" for p in zip(*parts, strict=True))


def _module_name(op: Op) -> str:
    param = next((v for f in fields(op) if isinstance(v := getattr(op, f.name), Param)), None)
    leaf = op.origin.rpartition(".")[2]
    if param is None:
        return leaf if _speaks(leaf) and "norm" in leaf else type(op).__name__.lower()
    owner, _, last = param.names[0].rpartition(".")
    if owner == op.origin and last not in ("weight", "bias"):
        return _identifier(last)
    if _speaks(leaf):
        return _identifier(leaf)
    words = [w for w in owner.split(".") if w]
    start = max((i for i, w in enumerate(words) if _speaks(w)), default=0)
    return _identifier("_".join(words[start:]) or last)


def _speaks(leaf: str) -> bool:
    return bool(leaf) and not leaf.isdigit() and leaf != "*"


def _identifier(text: str) -> str:
    name = re.sub(r"\W", "_", text)
    return name if name and not name[0].isdigit() else f"op_{name}"
