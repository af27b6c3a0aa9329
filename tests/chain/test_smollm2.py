"""SmolLM2 with its real weights, by the README: built, checked bit for bit, asked a question."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def stbuildw(cache: Path, *args: str) -> str:
    """What the command prints; it must succeed."""
    env = {**os.environ, "STBUILD_CACHE": str(cache)}
    done = subprocess.run([ROOT / "stbuildw", *args], capture_output=True, text=True, env=env, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_readme_holds(tmp_path: Path) -> None:
    built = stbuildw(tmp_path, "projects/smollm2_135m")
    assert "bit-exact with the PyTorch reference: 8 prompts, 512 new tokens" in built
    assert "real weights" in built
    answer = stbuildw(tmp_path, "run", "projects/smollm2_135m", "--prompt", "What is the capital of France?")
    assert answer.strip() == "The capital of France is Paris."
