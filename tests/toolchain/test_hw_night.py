"""A night with `--target hw`, by the mock v++: what its image does, and a card that cannot be opened."""

from pathlib import Path

import pytest

from stbuild.nightly.history import FILE, Reader
from stbuild.nightly.outcome import Fault, Outcome
from tests.accelerator import runtime_objects
from tests.conftest import WorkspaceFolder
from tests.toolchain.installation import install
from tests.toolchain.test_hw import LONG_S, MODEL, SETTINGS, SIZES

PLAN = """
matrix:
  - {project: mine, platform: u55c, target: hw, device: [native, 'xrt:0']}
measure: {prompt_tokens: [3], new_tokens: 4, repeats: 1}
"""


@pytest.mark.slow
def test_a_night_for_hardware_tells_a_card_from_a_build(tmp_path: Path, shared_cache: Path) -> None:
    vitis = install(tmp_path / "xilinx", objects=runtime_objects(()))
    env = {**vitis.env, "STBUILD_DEVICE_LOCKS": str(tmp_path), "XILINX_XRT": str(tmp_path / "nowhere")}
    (tmp_path / "ws").mkdir()
    workspace = WorkspaceFolder(root=tmp_path / "ws", cache=shared_cache, env=env)
    workspace.write("pyproject.toml", SETTINGS)
    workspace.write("mine/model.py", MODEL)
    workspace.build_file("mine", f"llm_accelerator: {{model: model.py, {SIZES}}}")
    workspace.write("nightly.yaml", PLAN)
    done = workspace.run("nightly", timeout_s=LONG_S)
    assert done.code == 5, done.err
    with Reader.open(workspace.root / "nightly-results" / FILE) as history:
        (night,) = history.nights()
        good, broken = history.results(night)
    figures = {figure.name: figure for figure in good.figures}
    assert (good.outcome, good.cell.device) == (Outcome.GOOD, "native")
    assert figures["wns_ns"].exact and any(name.startswith("lut@") for name in figures)
    assert "v++" in good.tools
    assert (broken.outcome, broken.fault) == (Outcome.BROKEN_DEVICE, Fault.REFUSED)
    assert broken.message.startswith(f"there is no XRT in {tmp_path}/nowhere")
