"""What the tests of nights share: a workspace with a small project that is built once, and its plan."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stbuild.engine.load.workspace import find_workspace
from stbuild.nightly.night import Ended, run_night
from stbuild.nightly.plan_file import read_plan
from tests.conftest import WorkspaceFolder

MODEL = """
import torch
from transformers import LlamaConfig, LlamaForCausalLM


def model():
    return LlamaForCausalLM(LlamaConfig(
        vocab_size=258, hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=2))
"""
SIZES = "channels: 2, lanes: 1, chunk: 4, context: 32, new_tokens: 3"
PLAN = """
matrix:
  - {project: tiny, platform: u55c, device: DEVICE}
measure: {prompt_tokens: [3, 9], new_tokens: 4, repeats: 2, launch_limit_s: 5, wait_s: 0.5}
"""
RunNight = Callable[..., Ended]


@pytest.fixture(scope="package")
def built(tmp_path_factory: pytest.TempPathFactory, shared_cache: Path) -> Iterator[WorkspaceFolder]:
    """A workspace with the project `tiny`, whose results are in the cache after the first night."""
    place = tmp_path_factory.mktemp("nightly")
    (place / "ws").mkdir()
    (place / "ws/pyproject.toml").write_text("[tool.stbuild]\n")
    space = WorkspaceFolder(root=place / "ws", cache=shared_cache)
    space.env["STBUILD_DEVICE_LOCKS"] = str(place / "locks")
    space.write("tiny/model.py", MODEL)
    space.build_file("tiny", f"llm_accelerator: {{model: model.py, {SIZES}}}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STBUILD_CACHE", str(space.cache))
        patch.setenv("STBUILD_DEVICE_LOCKS", space.env["STBUILD_DEVICE_LOCKS"])
        yield space


@pytest.fixture
def night(built: WorkspaceFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunNight:
    """Runs a night of its own results, with a device whose fault is `FAULT` of tests/nightly/faulty.py."""
    monkeypatch.setenv("STBUILD_TEST_COUNT", str(tmp_path / "count"))
    results = f"results-{tmp_path.name}"

    def run(
        fault: str = "",
        *,
        plan: str = PLAN,
        device: str = "native",
        times: int = 99,
        told: list[str] | None = None,
    ) -> Ended:
        monkeypatch.setenv("STBUILD_TEST_FAULT", fault)
        monkeypatch.setenv("STBUILD_TEST_TIMES", str(times))
        text = f"{plan.replace('DEVICE', device)}results: {results}\n"
        file = built.write(f"{tmp_path.name}.yaml", text)
        workspace = find_workspace(built.root)
        lines = [] if told is None else told
        opener = "tests.nightly.faulty:open_faulty"
        return run_night(read_plan(file, workspace), workspace, tell=lines.append, opener=opener)

    return run
