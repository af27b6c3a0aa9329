"""A rule of a workspace and its step: what is keyed, and what is refused at analysis."""

import pytest

from tests.conftest import WorkspaceFolder
from tests.engine.test_build import counts

RULE = '''
from dataclasses import dataclass

from mysteps.shout import Shout
from stbuild.api import Context, File, FilesInfo, rule


@dataclass(frozen=True, kw_only=True)
class Loud:
    text: str = "x"


@rule
def loud(ctx: Context[Loud]) -> FilesInfo:
    """Run a step of a package of our own."""
    out = ctx.output("out.txt")
    ctx.step(Shout(text=ctx.attrs.text, made=out))
    return FilesInfo(files=(out,))
'''

STEP = '''
from pathlib import Path

from stbuild.step import F, Step, arg, main, out


class Shout(Step[F]):
    """Write a word in capitals."""

    text: str = arg("the word")
    source: F | None = arg("not read", default=None)
    made: F = out("the file")

    def run(self):
        from mysteps.helper import shouted

        self.made.write_text(shouted(self.text))


if __name__ == "__main__":
    main(Shout)
'''


@pytest.fixture
def stepped(workspace: WorkspaceFolder) -> WorkspaceFolder:
    """A target whose action is a step of a package beside the workspace."""
    workspace.write("rules/loud.py", RULE)
    package = workspace.root / "lib/mysteps"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "shout.py").write_text(STEP)
    (package / "helper.py").write_text("def shouted(text):\n    return text.upper()\n")
    (package / "other.py").write_text("x = 1\n")
    workspace.env["PYTHONPATH"] = f"{workspace.environment()['PYTHONPATH']}:{package.parent}"
    workspace.build_file("p", "loud: {name: s, text: hi}")
    return workspace


def test_a_step_depends_on_the_modules_it_imports(stepped: WorkspaceFolder) -> None:
    assert counts(stepped.ok("p:s").status) == (1, 0)
    assert stepped.output("p/s/out.txt").read_text() == "HI"
    stepped.write("lib/mysteps/other.py", "x = 2\n")
    assert counts(stepped.ok("p:s").status) == (0, 1)
    stepped.write("lib/mysteps/helper.py", "def shouted(text):\n    return text.upper() + '!'\n")
    assert counts(stepped.ok("p:s").status) == (1, 0)
    assert stepped.output("p/s/out.txt").read_text() == "HI!"


def test_a_step_with_another_field(stepped: WorkspaceFolder) -> None:
    stepped.ok("p:s")
    stepped.write("lib/mysteps/shout.py", STEP.replace("text:", "word:").replace("self.text", "self.word"))
    told = stepped.fails("p:s")
    assert "rules/loud.py:" in told and "unexpected keyword argument 'text'" in told
    stepped.write("rules/loud.py", RULE.replace("text=", "word="))
    assert counts(stepped.ok("p:s").status) == (1, 0)


WRONG = {
    "text=ctx.attrs.text, made=ctx.attrs.text": "Shout: made takes a File, got 'hi'",
    "text=3, made=out": "Shout: text takes str, got 3",
    "text='a', made=ctx.output_tree('t')": "Shout: made takes a file: declare p/s/t with ctx.output",
    "text='a', made=ctx.external('/etc/hosts')": "Shout: made is an output, and",
    "text='a', source=out, made=ctx.output('b')": "Shout: source is an input, and no action declared before",
    "text='a'": "missing 1 required keyword-only argument: 'made'",
}


@pytest.mark.parametrize("arguments", WRONG)
def test_a_rule_that_gives_a_step_what_it_does_not_take(stepped: WorkspaceFolder, arguments: str) -> None:
    stepped.write("rules/loud.py", RULE.replace("text=ctx.attrs.text, made=out", arguments))
    assert WRONG[arguments] in stepped.fails("p:s")


def test_a_step_in_the_file_of_a_rule(stepped: WorkspaceFolder) -> None:
    stepped.write("rules/loud.py", RULE.replace("from mysteps.shout import Shout\n", STEP))
    assert "step Shout stands in the file of a rule" in stepped.fails("p:s")


def test_a_module_that_is_missing(stepped: WorkspaceFolder) -> None:
    (stepped.root / "lib/mysteps/shout.py").rename(stepped.root / "lib/mysteps/shouts.py")
    told = stepped.fails("p:s")
    assert "rules/loud.py:" in told and "No module named 'mysteps.shout'" in told
