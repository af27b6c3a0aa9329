"""Code that is edited without a trace in size and modification time is run as it is, not as it was."""

import os
import py_compile
import sys
from importlib.util import cache_from_source
from pathlib import Path

import pytest

from stbuild.engine.keys.bytecode import check_for_import, compiled
from stbuild.errors import StbuildError
from tests.conftest import WorkspaceFolder
from tests.engine.test_build import counts

STEP = '''
from stbuild.step import F, Step, arg, main, out


class Say(Step[F]):
    """Write a word."""

    word: str = arg("the word")
    made: F = out("the file")

    def run(self):
        from saying.marks import MARK

        self.made.write_text(self.word + MARK)


if __name__ == "__main__":
    main(Say)
'''

RULE = '''
from dataclasses import dataclass

from saying.say import Say
from stbuild.api import Context, FilesInfo, rule
from words.word import WORD


@dataclass(frozen=True, kw_only=True)
class Speak:
    pass


@rule
def speak(ctx: Context[Speak]) -> FilesInfo:
    """Write a word."""
    made = ctx.output("word.txt")
    ctx.step(Say(word=WORD + "0", made=made))
    return FilesInfo(files=(made,))
'''


@pytest.fixture
def speaking(workspace: WorkspaceFolder) -> WorkspaceFolder:
    """A rule with a module that only it imports, and a step that imports one in its action."""
    workspace.write("rules/speak.py", RULE)
    workspace.write("lib/saying/__init__.py", "")
    workspace.write("lib/saying/say.py", STEP)
    workspace.write("lib/saying/marks.py", "MARK = '!'\n")
    workspace.write("lib/words/__init__.py", "")
    workspace.write("lib/words/word.py", "WORD = 'one'\n")
    lib = workspace.root / "lib"
    workspace.env["PYTHONPATH"] = f"{workspace.environment()['PYTHONPATH']}:{lib}"
    workspace.build_file("p", "speak: {name: s}")
    return workspace


def leave_byte_code(path: Path) -> None:
    """What any Python leaves that imports the module: byte code with the source's time and size."""
    mode = py_compile.PycInvalidationMode.TIMESTAMP
    py_compile.compile(str(path), compiled(str(path)), doraise=True, invalidation_mode=mode)


def edit_unseen(path: Path, old: str, new: str) -> None:
    """Edit a file, and put its modification time back; the size stays."""
    status = path.stat()
    path.write_text(path.read_text().replace(old, new))
    assert path.stat().st_size == status.st_size
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


EDITS = {
    "rules/speak.py": ('"0"', '"1"', "one1!"),
    "lib/saying/say.py": ("self.word + MARK", "MARK + self.word", "!one0"),
    "lib/saying/marks.py": ("!", "?", "one0?"),
    "lib/words/word.py": ("one", "two", "two0!"),
}


@pytest.mark.parametrize("path", EDITS)
@pytest.mark.parametrize("foreign", [False, True], ids=["own", "foreign"])
def test_an_edit_that_size_and_time_do_not_show(speaking: WorkspaceFolder, path: str, foreign: bool) -> None:
    old, new, word = EDITS[path]
    if foreign:
        leave_byte_code(speaking.root / path)
    assert counts(speaking.ok("p:s").status) == (1, 0)
    assert speaking.output("p/s/word.txt").read_text() == "one0!"
    edit_unseen(speaking.root / path, old, new)
    assert counts(speaking.ok("p:s").status) == (1, 0)
    assert speaking.output("p/s/word.txt").read_text() == word


def test_an_edit_before_the_first_build(speaking: WorkspaceFolder) -> None:
    for path, (old, new, _) in EDITS.items():
        leave_byte_code(speaking.root / path)
        edit_unseen(speaking.root / path, old, new)
    speaking.env["PYTHONDONTWRITEBYTECODE"] = "1"
    speaking.ok("p:s")
    assert speaking.output("p/s/word.txt").read_text() == "?two1"


def test_a_module_that_only_a_rule_imports_is_noticed(speaking: WorkspaceFolder) -> None:
    speaking.ok("p:s")
    speaking.write("lib/words/word.py", "WORD = 'longer'\n")
    assert counts(speaking.ok("p:s").status) == (1, 0)
    assert speaking.output("p/s/word.txt").read_text() == "longer0!"


def test_a_package_in_a_folder_that_is_an_input(workspace: WorkspaceFolder) -> None:
    module = workspace.write("p/tool/number.py", "NUMBER = 1\n")
    program = "import sys; sys.path[0] = sys.argv[1]; import number; print(number.NUMBER)"
    command = f'{sys.executable} -c \\"{program}\\" $< > $@'
    workspace.build_file("p", f'genrule: {{name: g, srcs: [tool/], outs: [o], cmd: "{command}"}}')
    leave_byte_code(module)
    edit_unseen(module, "1", "2")
    workspace.ok("p:g")
    assert workspace.output("p/o").read_text() == "2\n"


def test_byte_code_that_cannot_be_replaced_is_compared(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text("x = 1\n")
    place = Path(cache_from_source(str(module)))
    leave_byte_code(module)
    place.rename(tmp_path / "kept")
    place.symlink_to(tmp_path / "kept")  # which py_compile does not replace, whoever runs this
    check_for_import(str(module))
    edit_unseen(module, "1", "2")
    with pytest.raises(StbuildError, match=r"is not the byte code of .*module\.py"):
        check_for_import(str(module))


def test_byte_code_of_what_is_not_python_any_more_is_removed(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text("x = 1\n")
    leave_byte_code(module)
    edit_unseen(module, "= 1", "==1")
    module.write_text("x = (\n")
    check_for_import(str(module))
    assert not Path(cache_from_source(str(module))).exists()


def test_a_program_that_size_and_time_do_not_show(workspace: WorkspaceFolder) -> None:
    tool = workspace.root.parent / "bin/number"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\necho 1\n")
    tool.chmod(0o755)
    workspace.env["PATH"] = f"{tool.parent}:{os.environ['PATH']}"
    workspace.build_file("p", "genrule: {name: g, programs: [number], outs: [o], cmd: 'number > $@'}")
    for old, new in (("1", "1"), ("1", "2")):
        edit_unseen(tool, old, new)
        workspace.ok("p:g")
        assert workspace.output("p/o").read_text() == f"{new}\n"
