"""`--target hw` from a model to tokens with the mock v++, and what goes wrong on the way."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from stbuild.layout import LOCKS
from stbuild.runtime.devices.lease import leased
from tests.accelerator import runtime_objects
from tests.conftest import WorkspaceFolder
from tests.runtime.xrt import need_xrt
from tests.toolchain.installation import Installation, install

LONG_S = 600
MODEL = """
from transformers import LlamaConfig, LlamaForCausalLM


def model():
    config = LlamaConfig(vocab_size=64, hidden_size=64, intermediate_size=96, num_hidden_layers=2,
                         num_attention_heads=2)
    return LlamaForCausalLM(config)
"""
SIZES = "channels: 2, lanes: 1, chunk: 4, context: 32, new_tokens: 2"
SETTINGS = "[tool.stbuild]\n[tool.stbuild.vitis]\nmemory_mb = 3000\ncompile_memory_mb = 2000\n"


@pytest.fixture(scope="module")
def vitis(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """A mock Vitis 2022.2."""
    return install(tmp_path_factory.mktemp("xilinx"), objects=runtime_objects(()))


@pytest.fixture(scope="module")
def mine(
    tmp_path_factory: pytest.TempPathFactory, vitis: Installation, shared_cache: Path
) -> WorkspaceFolder:
    """A small Llama, built for a card and run through XRT."""
    need_xrt()
    folder = tmp_path_factory.mktemp("hw")
    (folder / "ws").mkdir()
    workspace = WorkspaceFolder(root=folder / "ws", cache=shared_cache, env=vitis.env)
    workspace.write("pyproject.toml", SETTINGS)
    workspace.write("mine/model.py", MODEL)
    workspace.build_file("mine", f"llm_accelerator: {{model: model.py, {SIZES}}}")
    workspace.ok("mine", "--target", "hw", timeout_s=LONG_S)
    return workspace


def manifest(workspace: WorkspaceFolder) -> Any:
    """What the bundle says of itself."""
    return json.loads(workspace.output("mine/xclbin/bundle/manifest.json", "u55c-hw").read_text())


def ran(workspace: WorkspaceFolder) -> list[str]:
    """The actions that the last build ran."""
    return [event["mnemonic"] for event in workspace.events() if event["event"] == "action_finished"]


@pytest.mark.slow
def test_a_model_becomes_tokens_through_the_whole_flow(mine: WorkspaceFolder) -> None:
    """The image was joined by the link configuration alone, and gives the reference's bits."""
    done = mine.ok("mine", "--target", "hw")
    assert "bit-exact with the PyTorch reference: 1 prompts, 2 new tokens" in done.out
    assert "kernels at 250 MHz, WNS +0.003 ns" in done.out
    assert manifest(mine)["target"] == "hw"
    assert manifest(mine)["clock_mhz"] == 250.0
    assert "mock of the tests" in mine.output("mine/link/link.txt", "u55c-hw").read_text()
    answer = mine.ok("run", "mine:xclbin", "--target", "hw", "--tokens", "1 2", "--max-tokens", "2")
    assert len(answer.out.split()) == 2


def test_a_card_is_asked_each_time(mine: WorkspaceFolder) -> None:
    """Through XRT; what follows an answer that is equal is up to date."""
    done = mine.ok("mine", "--target", "hw")
    report = mine.output("mine/deploy/report.txt", "u55c-hw").read_text()
    assert ran(mine) == ["Smoke"]
    assert re.search(r"tok/s decode, measured on the emulated u55c through XRT \d", done.out)
    assert re.search(r"it ran on: emulated u55c through XRT \d", report)


def test_a_card_that_another_process_has_is_not_asked(
    mine: WorkspaceFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(LOCKS, mine.env[LOCKS])
    with leased("xrt:0", 0, print) as held:
        assert held
        told = mine.fails("mine", "--target", "hw", code=1)
    assert f"xrt:0: the device is in use by process {os.getpid()} " in told
    mine.ok("mine", "--target", "hw")


def test_the_workspace_names_the_device(mine: WorkspaceFolder) -> None:
    """`native` gives the same bits, and is cached."""
    mine.write("pyproject.toml", SETTINGS.replace("[tool.stbuild]", "[tool.stbuild]\ndevice = 'native'", 1))
    mine.ok("mine", "--target", "hw")
    again = mine.ok("mine", "--target", "hw")
    mine.write("pyproject.toml", SETTINGS.replace("[tool.stbuild]", "[tool.stbuild]\ndevice = 'card 1'", 1))
    told = mine.fails("mine", "--target", "hw")
    mine.write("pyproject.toml", SETTINGS)
    assert "done: 0 run" in again.out + again.err
    assert "[tool.stbuild] device takes native or a card, got 'card 1'" in told


def test_the_linked_xclbin_runs_through_xrt(mine: WorkspaceFolder) -> None:
    """Its banks, groups, kernels and arguments are those that XRT asks for."""
    run = ("run", "mine:xclbin", "--target", "hw", "--tokens", "1 2 3 4 5 6", "--max-tokens", "4")
    assert mine.ok(*run, "--device", "xrt:0").out == mine.ok(*run).out


def test_a_new_demand_judges_again_and_links_no_more(mine: WorkspaceFolder) -> None:
    mine.write("pyproject.toml", f"{SETTINGS}slack_ns = -0.1\n")
    mine.ok("mine:link", "--target", "hw")
    assert ran(mine) == ["JudgeLink"]
    mine.write("pyproject.toml", SETTINGS)
    mine.ok("mine:link", "--target", "hw")
    assert ran(mine) == []


def test_what_is_keyed_of_a_link(mine: WorkspaceFolder) -> None:
    rows = json.loads(mine.ok("aquery", "mine:link", "--target", "hw", "--json").out)
    (link,) = (row for row in rows if row["mnemonic"] == "VppLink")
    text = json.dumps(link)
    assert "SW Build 3671529" in text
    assert '"--threads=8"' in text
    assert str(mine.env["XILINX_VITIS"]) not in json.dumps(link["argv"])


@pytest.mark.parametrize(
    ("kind", "mnemonic", "sentence"),
    [
        (
            "slack",
            "JudgeLink",
            "timing is not met: slack -0.721 ns at 250 MHz, 10576 endpoints fail; v++ lowered",
        ),
        ("licence", "VppLink", "no licence was found for a feature, or it was lost"),
        ("killed", "VppLink", "failed with exit code 137"),
    ],
)
def test_a_bad_link_is_told(
    mine: WorkspaceFolder, vitis: Installation, kind: str, mnemonic: str, sentence: str
) -> None:
    """A changed thread count is what makes the link run again."""
    threads = 9 + len(kind) * len(mnemonic)
    mine.write("pyproject.toml", f"{SETTINGS}threads = {threads}\n")
    vitis.trouble(kind)
    told = mine.run("mine:link", "--target", "hw")
    vitis.trouble("")
    assert told.code == 1
    assert f"//mine:link: {mnemonic}" in told.err
    assert sentence in told.err
    if kind == "slack":
        mine.write("pyproject.toml", f"{SETTINGS}threads = {threads}\nslack_ns = -0.8\n")
        mine.ok("mine", "--target", "hw")
        assert "VppLink" not in ran(mine)
        assert manifest(mine)["clock_mhz"] == 211.8
    mine.write("pyproject.toml", SETTINGS)


def test_without_vitis_it_is_told_at_once_what_can_be_had(mine: WorkspaceFolder) -> None:
    env, mine.env = mine.env, {}
    told = mine.fails("mine", "--target", "hw")
    hls = mine.ok("mine:hls", "--target", "hw")
    mine.env = env
    assert "mine/BUILD.yaml:2: //mine:kernels: --target hw needs Vitis (2022.1 to 2023.2 for u55c)" in told
    assert "`stbuild mine:hls --target hw` writes the C++ and link.cfg" in told
    assert "done: 0 run" in hls.out


def test_versions_and_platforms_that_do_not_fit_are_refused(mine: WorkspaceFolder, tmp_path: Path) -> None:
    env, other = mine.env, install(tmp_path, "2024.2")
    mine.env = other.env
    told = mine.fails("mine", "--target", "hw")
    mine.env = {**env, "PLATFORM_REPO_PATHS": "/nowhere"}
    absent = mine.fails("mine", "--target", "hw")
    mine.env = env
    assert "Vitis 2024.2 (XILINX_VITIS) refuses xilinx_u55c_gen3x16_xdma_3_202210_1" in told
    assert "2022.1 or 2022.2 or 2023.1 or 2023.2 (install Vitis 2023.2)" in told
    assert "the platform xilinx_u55c_gen3x16_xdma_3_202210_1 is not installed" in absent


def test_a_versal_card_is_packaged(mine: WorkspaceFolder) -> None:
    mine.ok("mine:link", "--target", "hw", "--platform", "vck5000", timeout_s=LONG_S)
    assert "VppPackage" in ran(mine)
    packaged = mine.output("mine/link/packaged.xclbin", "vck5000-hw")
    assert packaged.read_bytes()[:7] == b"xclbin2"


def test_the_mode_for_hls_and_hw_emu(mine: WorkspaceFolder, tmp_path: Path) -> None:
    """2023.2 compiles by `--mode hls`; a missed II is named; an emulated card is described in the bundle."""
    other = install(tmp_path, "2023.2", objects=runtime_objects(()))
    other.trouble("ii")
    env, mine.env = mine.env, other.env
    done = mine.ok("mine:xclbin", "--target", "hw_emu", timeout_s=LONG_S)
    assert {"VppCompile control.cpp", "VppLink", "Emconfig", "JudgeLink"} <= set(ran(mine))
    mine.write("pyproject.toml", f"{SETTINGS}strict_ii = true\n")
    strict = mine.fails("mine:kernels", "--target", "hw_emu", code=1)
    mine.write("pyproject.toml", SETTINGS)
    mine.env = env
    emconfig = mine.output("mine/xclbin/bundle/emconfig.json", "u55c-hw_emu")
    assert "xilinx_u55c" in emconfig.read_text()
    text = mine.output("mine/kernels/kernels.txt", "u55c-hw_emu").read_text()
    missed = r"  loop \w+ of control has II 4 where 1 is asked for, mine/hls/kernels/control\.cpp:\d+\n"
    assert re.search(missed, text)
    assert "1 loop misses its II" in mine.output("mine/link/link.txt", "u55c-hw_emu").read_text()
    assert "has II 4 where 1 is asked for" in strict
    assert done.code == 0


def test_a_workspace_brings_a_target_of_its_own(mine: WorkspaceFolder) -> None:
    mine.write(
        "targets/copy_emu.py",
        "from stbuild.api import Toolchain\n"
        "from stbuild.toolchain.emu_actions import compile_kernels, link_kernels\n\n"
        "COPY_EMU = Toolchain(name='copy_emu', compile=compile_kernels, link=link_kernels)\n",
    )
    mine.ok("mine:hls", "--target", "copy_emu", timeout_s=LONG_S)
    rows = json.loads(mine.ok("aquery", "mine:link", "--target", "copy_emu", "--json").out)
    assert "SimCompile system.cpp" in [row["mnemonic"] for row in rows]
    assert "no target 'copi_emu'" in mine.fails("mine:link", "--target", "copi_emu")
    mine.write("targets/copy_emu.py", "COPY_EMU = 3\n")
    assert "target 'copy_emu' is a int, not a Toolchain" in mine.fails("mine:link", "--target", "copy_emu")
