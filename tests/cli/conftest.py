"""What the tests of wrong input share: a package that builds, and the text of a rule."""

import pytest

from tests.conftest import WorkspaceFolder

GOOD = "genrule: {name: good, outs: [good.txt], cmd: 'touch $@'}"
ALIEN = "from dataclasses import dataclass\nfrom stbuild.api import Context, FilesInfo, rule\n"


def rule_file(name: str, attributes: str, body: str = "return FilesInfo()") -> str:
    """The text of a rule with these attribute lines."""
    camel = "".join(part.capitalize() for part in name.split("_"))
    return (
        f"{ALIEN}\n@dataclass(frozen=True, kw_only=True)\nclass {camel}:\n    {attributes}\n\n"
        f"@rule\ndef {name}(ctx: Context[{camel}]) -> FilesInfo:\n    {body}\n"
    )


@pytest.fixture
def good(workspace: WorkspaceFolder) -> WorkspaceFolder:
    """A package with one target that builds."""
    workspace.build_file("p", GOOD)
    return workspace
