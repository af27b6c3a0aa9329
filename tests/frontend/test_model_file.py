"""What is wrong with a project's model file is said in one sentence with its line."""

from pathlib import Path

import pytest

from stbuild.errors import StbuildError
from stbuild.frontend.model_file import load_model

CASES = {
    "raises": ("def model():\n    return [][3]\n", r"model.py:2: model\(\) failed: IndexError: list index"),
    "import": ("model = 1 / 0\n", "model.py:1: cannot be imported: ZeroDivisionError: division by zero"),
    "nothing": ("x = 1\n", r"does not define model\(\)"),
    "no such module": (
        "if True:\n    import nothing_like_it\nmodel = 1\n",
        r"model.py:2: cannot be imported: ModuleNotFoundError: No module named 'nothing_like_it' \(declare a"
        r" file of the project in `srcs`, install a package with pip\)",
    ),
    "no such name": (
        "from transformers import LlamaModle\nmodel = 1\n",
        "model.py:1: cannot be imported: ImportError: cannot import name 'LlamaModle' from 'transformers'",
    ),
    "exit": (
        "import sys\nmodel = sys.exit(3)\n",
        r"model.py:2: cannot be imported: it ends the program \(sys.exit",
    ),
    "exit in model": (
        "def model():\n    raise SystemExit\n",
        r"model.py:2: model\(\) failed: it ends the program \(sys.exit\(\)\)",
    ),
    "number": (
        "def model():\n    return 3\n",
        r"model.py:1: model\(\) returns an object of type int, not a torch.nn.Module",
    ),
    "none": ("\n\ndef model():\n    pass\n", r"model.py:3: model\(\) returns None, not a torch.nn.Module"),
    "installed": (
        "from transformers import MptConfig\n"
        "def model():\n    return MptConfig(attn_config={'clip_qkv': 8})\n",
        r"model.py:3: model\(\) failed: StrictDataclassFieldValidationError: Validation error for field"
        r" 'clip_qkv': TypeError: Field 'clip_qkv' with value 8 doesn't match",
    ),
    "class": (
        "from torch import nn\ndef model():\n    return nn.Linear\n",
        r"model.py:2: model\(\) returns the class Linear, not a torch.nn.Module",
    ),
    "argument": (
        "make = lambda size: size\nmodel = make\n",
        r"model.py:1: model\(\) failed: TypeError: .* missing 1 required positional argument: 'size'",
    ),
    "not a function": ("model = 3\n", r"model.py: model\(\) failed: TypeError: 'int' object is not callable"),
    "names": (
        "from torch import nn\ndef model():\n    return nn.Linear(1, 1)\ndef weight_names():\n    return 3\n",
        r"model.py:4: weight_names\(\) returns an object of type int, not a dict of texts",
    ),
    "names of numbers": (
        "from torch import nn\ndef model():\n    return nn.Linear(1, 1)\n"
        "def weight_names():\n    return {'x': 3}\n",
        r"model.py:4: weight_names\(\) returns a dict that holds more than texts",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_bad_model_file(case: str, tmp_path: Path) -> None:
    text, sentence = CASES[case]
    (tmp_path / "model.py").write_text(text)
    with pytest.raises(StbuildError, match=sentence) as found:
        load_model(tmp_path / "model.py")
    assert "\n" not in str(found.value)


def test_a_module_beside_it_may_be_imported_late(tmp_path: Path) -> None:
    (tmp_path / "late_helper.py").write_text("from torch import nn\n\nmade = nn.Linear\n")
    text = "def model():\n    from late_helper import made\n    return made(2, 2)\n"
    (tmp_path / "model.py").write_text(text)
    assert load_model(tmp_path / "model.py").module.in_features == 2


def test_a_syntax_error_in_a_module_beside_it_has_that_module_s_line(tmp_path: Path) -> None:
    (tmp_path / "torn.py").write_text("x = 1\ny = (\n")
    (tmp_path / "model.py").write_text("import torn\nmodel = 1\n")
    with pytest.raises(StbuildError, match=r"torn.py:2: not Python: '\(' was never closed"):
        load_model(tmp_path / "model.py")


def test_there_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(StbuildError, match="there is no such model file"):
        load_model(tmp_path / "model.py")
