"""Every step of the package: its command line gives back the equal value, and its module is light."""

import importlib
import json
import subprocess
import sys
from dataclasses import MISSING, replace
from enum import Enum
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pytest

from stbuild.engine.graph.canonical import canonical_json
from stbuild.step import F, Parameter, Step, arg, arguments, main, out, out_tree, parameters_of, parse
from stbuild.steps.prompts import SmokePrompts
from tests.accelerator import platform

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("stbuild/steps", "stbuild/toolchain/vitis/steps")
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for folder in FOLDERS
    for path in (ROOT / folder).glob("*.py")
    if path.stem != "__init__"
)
HEAVY = ("torch", "numpy", "tokenizers", "stbuild.passes", "stbuild.chain", "stbuild.frontend")
TEXTS = ("x", "", "-x", "--graph", "a=b", "two words\nand a line", "é ∑", "-1", "@file")


@cache
def step_of(module: str) -> type[Step[Any]]:
    """The one step that a module defines."""
    own = [
        value for value in vars(importlib.import_module(module)).values()
        if isinstance(value, type) and issubclass(value, Step) and value.__module__ == module
    ]  # fmt: skip
    (kind,) = own
    return kind


def one_value(parameter: Parameter, draw: Random) -> Any:
    """A value that a field takes."""
    kind = parameter.kind
    if parameter.is_file:
        return Path(f"in/p/{draw.choice(('a', 'b c', 'é', 'x=y'))}.json")
    if parameter.is_record:
        return prompts(draw) if kind is SmokePrompts else platform(draw.choice(("u55c", "u280", "vck5000")))
    if issubclass(kind, Enum):
        return draw.choice(list(kind))
    values = {str: TEXTS, int: (0, -3, 10**12), float: (0.0, -0.25, 1e-30, 3), bool: (False, True)}
    return draw.choice(values[kind])


def prompts(draw: Random) -> SmokePrompts:
    """Prompts of texts that a command line would not hold."""
    return SmokePrompts(texts=(draw.choice(TEXTS),), tokens=((1, 2), ()), new_tokens=3, system="é\n")


def random_step(kind: type[Step[Any]], draw: Random) -> Step[Path]:
    """A step with random values in all of its fields."""
    values: dict[str, Any] = {}
    for each in parameters_of(kind):
        if each.many:
            values[each.name] = tuple(one_value(each, draw) for _ in range(draw.randrange(3)))
        elif each.optional and draw.random() < 0.5:
            values[each.name] = None
        else:
            values[each.name] = one_value(each, draw)
    if kind.__name__ == "Package":  # of an image or of an xclbin
        values |= {"image": Path("a.so"), "xclbin": None}
    return kind(**values)


def argv_of(step: Step[Path], folder: Path) -> list[str]:
    """The command line of a step, with its records in files of `folder`."""

    def file_of(name: str, value: object) -> Path:
        path = folder / f"{name}.json"
        path.write_text(canonical_json(value))
        return path

    words = arguments(step, file_of)
    return ["".join(map(str, word)) if isinstance(word, tuple) else word for word in words]


@pytest.mark.parametrize("module", MODULES)
def test_the_command_line_gives_back_the_step(module: str, tmp_path: Path) -> None:
    kind = step_of(module)
    for seed in range(30):
        step = random_step(kind, Random(seed))
        assert parse(kind, argv_of(step, tmp_path)) == step


@pytest.mark.parametrize("module", MODULES)
def test_a_required_argument_that_is_missing_is_named(
    module: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kind = step_of(module)
    argv = argv_of(random_step(kind, Random(1)), tmp_path)
    needed = next(each for each in parameters_of(kind) if each.default is MISSING)
    with pytest.raises(SystemExit):
        parse(kind, [word for word in argv if not word.startswith(f"{needed.option}=")])
    assert f"the following arguments are required: {needed.option}" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        parse(kind, [*argv, "--no-such-field=1"])
    assert "unrecognized arguments: --no-such-field=1" in capsys.readouterr().err


@pytest.mark.parametrize("module", MODULES)
def test_the_help_tells_every_argument(module: str, capsys: pytest.CaptureFixture[str]) -> None:
    kind = step_of(module)
    with pytest.raises(SystemExit):
        parse(kind, ["--help"])
    told = " ".join(capsys.readouterr().out.split())
    assert kind.__doc__ is not None and " ".join(kind.__doc__.split()) in told
    assert all(each.option in told and each.about in told for each in parameters_of(kind))


def test_importing_the_steps_imports_nothing_heavy() -> None:
    code = f"import importlib, sys, json\nfor m in {MODULES!r}: importlib.import_module(m)\n"
    told = subprocess.run(
        [sys.executable, "-c", f"{code}print(json.dumps(list(sys.modules)))"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert not {name for name in json.loads(told.stdout) if name.startswith(HEAVY)}


class Level(Enum):
    """A choice."""

    LOW = 1
    HIGH = 2


class Sample(Step[F]):
    """One field of each kind."""

    source: F = arg("a file")
    level: Level = arg("a choice", default=Level.LOW)
    share: float = arg("a number", default=0.5)
    names: tuple[str, ...] = arg("texts", default=())
    made: F = out("a file that is made")
    folder: F = out_tree("a folder that is made")

    def run(self: "Sample[Path]") -> None:
        self.made.write_text(f"{self.level.name} {self.share} {self.names}")


def sample(tmp_path: Path) -> Sample[Path]:
    return Sample(source=tmp_path / "a", made=tmp_path / "b", folder=tmp_path / "c")


def test_a_value_of_another_type_is_refused(tmp_path: Path) -> None:
    step: Any = sample(tmp_path)
    for change, sentence in (
        ({"share": "much"}, "Sample: share takes float, got 'much'"),
        ({"names": "abc"}, "Sample: names takes a tuple of str, got 'abc'"),
        ({"names": ("a", 1)}, r"Sample: names takes a tuple of str, got \('a', 1\)"),
        ({"level": 1}, "Sample: level takes Level, got 1"),
        ({"source": None}, "Sample: source takes File, got None"),
    ):
        with pytest.raises(TypeError, match=sentence):
            replace(step, **change)


def test_a_text_that_is_no_value_ends_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    argv = argv_of(sample(tmp_path), tmp_path)
    for word, sentence in (
        ("--level=3", "error: --level takes one of 1, 2, got '3'"),
        ("--share=much", "error: --share takes a value of type float, got 'much'"),
    ):
        monkeypatch.setattr(sys, "argv", ["step", *argv, word])
        with pytest.raises(SystemExit, match=sentence):
            main(Sample)
    monkeypatch.setattr(sys, "argv", ["step", *argv, "--level=2", "--names=-a", "--names=b"])
    main(Sample)
    assert (tmp_path / "b").read_text() == "HIGH 0.5 ('-a', 'b')"


def test_an_annotation_that_no_command_line_can_hold() -> None:
    class Odd(Step[F]):
        """Not possible."""

        many: dict[str, str] = arg("a map")

    with pytest.raises(TypeError, match=r"Odd\.many: .* is no annotation of a step's argument"):
        parameters_of(Odd)


def test_a_step_that_does_nothing() -> None:
    class Idle(Step[F]):
        """Has no run."""

        made: F = out("a file")

    with pytest.raises(TypeError, match="Idle has no function `run`, which makes its outputs"):
        Idle(made="x")
