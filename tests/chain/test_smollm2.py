"""SmolLM2 with its real weights, by the README: built, checked bit for bit, asked a question."""

import os
import subprocess
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from stbuild.package.bundle import Bundle, load_bundle
from stbuild.runtime import smoke
from stbuild.runtime.devices.opening import open_device
from stbuild.runtime.smoke import SmokeRun
from tests.runtime.xrt import need_xrt

ROOT = Path(__file__).resolve().parents[2]
BUNDLE = ROOT / "stbuild-out/u55c-sw_emu/projects/smollm2_135m/xclbin/bundle"
PROMPT = (1, 9690, 198, 2683, 359, 260, 5356, 282, 4649, 30, 198, 504, 3575, 282, 4649, 314, 7042, 30)


def stbuildw(cache: Path, *args: str) -> str:
    """What the command prints; it must succeed."""
    env = {**os.environ, "STBUILD_CACHE": str(cache)}
    done = subprocess.run([ROOT / "stbuildw", *args], capture_output=True, text=True, env=env, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_readme_holds(tmp_path: Path) -> None:
    built = stbuildw(tmp_path, "projects/smollm2_135m")
    assert "bit-exact with the PyTorch reference: 8 prompts, 512 new tokens" in built
    assert "real weights" in built
    answer = stbuildw(tmp_path, "run", "projects/smollm2_135m", "--prompt", "What is the capital of France?")
    assert answer.strip() == "The capital of France is Paris."
    same_bits_through_xrt(load_bundle(BUNDLE))


def same_bits_through_xrt(bundle: Bundle) -> None:
    """The same tokens and logits from the real XRT, whose software emulation our device model serves."""
    need_xrt()
    seen = [run_prompt(device, bundle) for device in ("native", "xrt:0")]
    assert seen[0].tokens == seen[1].tokens
    assert np.array_equal(seen[0].logits, seen[1].logits)


def run_prompt(name: str, bundle: Bundle) -> SmokeRun:
    """A prompt of three launches and some tokens."""
    with closing(open_device(bundle, name)) as device:
        return smoke.run_prompt(device, bundle.manifest.model, PROMPT, max_tokens=24)
