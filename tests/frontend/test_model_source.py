"""What is wrong with the text of a model's file is told without torch, with its line."""

import subprocess
import sys
from pathlib import Path

import pytest

from stbuild.errors import StbuildError
from stbuild.frontend.model_source import check_source

WRONG = {
    "syntax": ("def model(:\n", r"model.py:1: not Python: invalid syntax"),
    "indent": ("def model():\nreturn 3\n", r"model.py:2: not Python: expected an indented block"),
    "return": ("def model():\n    pass\nreturn 3\n", r"model.py:3: not Python: 'return' outside function"),
    "nul": ("def model(): pass\0\n", r"model.py.*: not Python: .*null bytes"),
    "empty": ("", r"model.py: the file does not define model\(\) \(write def model\(\) -> torch.nn.Module\)"),
    "other name": ("def make():\n    pass\n", r"model.py: the file does not define model\(\)"),
    "module": (
        "import json\nimport nothing_like_it.at.all\ndef model():\n    pass\n",
        r"model.py:2: cannot be imported: no module named 'nothing_like_it' \(declare a file of the project"
        r" in `srcs`, install a package with pip\)",
    ),
    "argument": (
        "\ndef model(size, *, depth=3):\n    pass\n",
        r"model.py:2: model\(\) is called without arguments, this one needs 'size' \(give it a default\)",
    ),
    "keyword": ("def model(a=1, *, depth):\n    pass\n", "this one needs 'depth'"),
    "async": ("async def model():\n    pass\n", r"model.py:1: model\(\) must not be async"),
}
RIGHT = (
    "def model(size=3, *more, depth=4, **rest):\n    pass\n",
    "from beside import model\n",
    "from beside import *\n",
    "from beside import make as model\n",
    "try:\n    import perhaps\nexcept ImportError:\n    pass\ndef model():\n    pass\n",
    "model = make\n",
    "if True:\n    def model():\n        pass\n",
    "try:\n    from a import model\nexcept ImportError:\n    model = None\n",
    "def model(size):\n    pass\ndef model():\n    pass\n",
)


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_text(case: str, tmp_path: Path) -> None:
    text, sentence = WRONG[case]
    (tmp_path / "model.py").write_text(text)
    with pytest.raises(StbuildError, match=sentence) as found:
        check_source(tmp_path / "model.py")
    assert "\n" not in str(found.value)


@pytest.mark.parametrize("text", RIGHT)
def test_a_text_that_may_define_it(text: str, tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(text)
    (tmp_path / "beside.py").touch()
    check_source(tmp_path / "model.py")


def test_not_a_text(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_bytes(b"x = '\xff'\n")
    with pytest.raises(StbuildError, match=r"model.py.*: not Python: .*utf-8"):
        check_source(tmp_path / "model.py")


def test_the_step_does_not_import_torch_for_it(tmp_path: Path) -> None:
    """A syntax error is told though torch cannot even be imported."""
    (tmp_path / "model.py").write_text("def model(:\n")
    block = "import sys; sys.modules['torch'] = None; sys.modules['transformers'] = None\n"
    options = ("graph", "tables", "names", "lines", "text")
    argv = ["trace", "--model", "model.py", "--context", "8", "--name", "x", *(f"--{o}={o}" for o in options)]
    run = f"import runpy; sys.argv = {argv!r}; runpy.run_module('stbuild.steps.trace', run_name='__main__')"
    root = str(Path(__file__).resolve().parents[2])
    done = subprocess.run(
        [sys.executable, "-c", f"{block}sys.path.insert(0, {root!r})\n{run}"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stderr == "error: model.py:1: not Python: invalid syntax\n"
    assert done.returncode == 1
