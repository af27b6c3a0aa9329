"""What is wrong with a project's model file is said in one sentence with its line."""

from pathlib import Path

import pytest

from stbuild.errors import StbuildError
from stbuild.frontend.model_file import load_model

CASES = {
    "raises": ("def model():\n    return [][3]\n", r"model.py:2: model\(\) failed: IndexError: list index"),
    "import": ("x = 1 / 0\n", "cannot be imported: ZeroDivisionError: division by zero"),
    "syntax": ("def model(:\n", r"model.py:1: not Python: invalid syntax"),
    "nothing": ("x = 1\n", r"does not define model\(\)"),
    "exit": ("import sys\nsys.exit(3)\n", r"model.py:2: cannot be imported: SystemExit: 3"),
    "exit in model": ("def model():\n    raise SystemExit\n", r"model.py:2: model\(\) failed: SystemExit"),
    "number": ("def model():\n    return 3\n", r"model\(\) gives a int, not a torch.nn.Module"),
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


def test_there_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(StbuildError, match="there is no such model file"):
        load_model(tmp_path / "model.py")
