"""Errors name a cell as the notebook shows it."""

import sys
from types import SimpleNamespace

import pytest

from stbuild.errors import StbuildError
from stbuild.library.cells import by_cell, told_by_cell


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> None:
    """A notebook with one cell that was run as the third."""
    files = {"/tmp/ipykernel_4711/123.py": 3}
    shell = SimpleNamespace(compile=SimpleNamespace(_filename_map=files))
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))


@pytest.mark.usefixtures("shell")
@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("/tmp/ipykernel_4711/123.py:7: Net cannot be traced", "cell In[3], line 7: Net cannot be traced"),
        ("no lowering (notebook/123.py:12)", "no lowering (cell In[3], line 12)"),
        ("notebook/99.py:12 is of another notebook", "notebook/99.py:12 is of another notebook"),
        ("mynotebook/123.py:12", "mynotebook/123.py:12"),
    ],
)
def test_lines_of_cells(said: str, shown: str) -> None:
    assert by_cell(said) == shown


@pytest.mark.usefixtures("shell")
def test_an_error_from_inside() -> None:
    with pytest.raises(StbuildError) as caught, told_by_cell():
        raise StbuildError("at notebook/123.py:1", where="notebook/123.py:2")
    assert str(caught.value) == "cell In[3], line 2: at cell In[3], line 1"


def test_without_a_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert by_cell("notebook/123.py:1") == "notebook/123.py:1"
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: None))
    assert by_cell("notebook/123.py:1") == "notebook/123.py:1"
