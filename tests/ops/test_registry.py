"""Every op has a home, a place in the registry, and a reference in integers and in floats."""

import importlib
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest

import stbuild.ops
from stbuild.ir.op import Op, RowOp, StreamingOp
from stbuild.ir.streaming import Streaming
from stbuild.ops.attention import Attention
from stbuild.ops.linear import Linear
from stbuild.ops.registry import OPS, PLUMBING
from stbuild.reference.floats import FLOATS
from stbuild.reference.kernels import KERNELS

NO_OPS = {
    *(
        "__init__",
        "attention_hardware",
        "attention_part",
        "checks",
        "datapaths",
        "files",
        "numbers",
        "parameter",
        "registry",
    ),
}
"""Modules of stbuild/ops that are the home of none."""
HOMES = sorted({path.stem for path in Path(str(stbuild.ops.__file__)).parent.glob("*.py")} - NO_OPS)


@pytest.mark.parametrize("home", HOMES)
def test_a_home_has_one_op_that_the_registry_knows(home: str) -> None:
    module = importlib.import_module(f"stbuild.ops.{home}")
    classes = [value for value in vars(module).values() if isinstance(value, type)]
    own = [c for c in classes if c.__module__ == module.__name__ and issubclass(c, Op | Streaming)]
    assert len(own) == 1
    assert own[0].__name__.lower() == home.replace("_", "")
    assert own[0] in (*OPS, *PLUMBING)


def test_the_registry_names_each_op_once() -> None:
    names = [kind.__name__ for kind in (*OPS, *PLUMBING)]
    assert len(set(names)) == len(names) == len(HOMES)


def test_the_reference_computes_every_op() -> None:
    assert set(KERNELS) == set(FLOATS) == set(OPS)


@pytest.mark.parametrize("kind", OPS, ids=lambda kind: str(kind.__name__))
def test_an_op_says_what_the_compiler_asks(kind: type[Op]) -> None:
    assert is_dataclass(kind)
    names = {field.name for field in fields(kind)}
    assert {*kind.operand_fields, *kind.summands, *kind.roles} <= names
    assert issubclass(kind, StreamingOp | RowOp) or kind in (Linear, Attention)
