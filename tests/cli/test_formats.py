"""A model whose values the usual fraction bits do not hold: the build's own command mends it."""

import json

import pytest

from tests.cli.model_texts import model_text
from tests.conftest import WorkspaceFolder

LONG_S = 600
GROWING = model_text("A model whose activations go beyond 32,768.", '''
class Mixer(nn.Module):
    """Two linear layers around a square of what is large."""

    def __init__(self) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(64, 64, bias=False), nn.Linear(64, 64, bias=False)
        self.norm = nn.RMSNorm(64)

    def forward(self, x: Tensor) -> Tensor:
        """The norm of it."""
        return self.norm(self.down(torch.relu(self.up(x) * 300) ** 2))
''')  # fmt: skip


@pytest.mark.slow
def test_formats_are_proposed_named_and_checked(workspace: WorkspaceFolder) -> None:
    workspace.write("p/model.py", GROWING)
    workspace.build_file("p", "llm_accelerator: {model: model.py, context: 16, group: 32, new_tokens: 2}")
    done = workspace.run("p:check", timeout_s=LONG_S)
    assert done.code == 1
    assert "error: p/model.py:17: the card's integers are not near the floats" in done.err
    assert "`stbuild run PROJECT:formats` proposes other fraction bits" in done.err
    proposal = workspace.ok("run", "p:formats", timeout_s=LONG_S).out
    assert json.loads(proposal)["values"]["body/mul"] < 10
    workspace.write("p/formats.json", proposal)
    attributes = "model: model.py, context: 16, group: 32, new_tokens: 2, formats: formats.json"
    workspace.build_file("p", f"llm_accelerator: {{{attributes}}}")
    done = workspace.ok("p:check", timeout_s=LONG_S)
    assert "done: 1 run, 2 cached" in done.out + done.err  # the trace does not read formats
    assert "floats: the graph is the model within" in done.out and " 0 saturate" in done.out
    workspace.write("p/formats.json", '{"values": {"body/mull": 6}}')
    told = workspace.fails("p:partition", code=1)
    assert "error: p/formats.json: values names 'body/mull', which the model does not have" in told
