"""The new op of CONTRIBUTING.md: the page is followed in a copy of the sources, and the op runs there."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.session import CHECKOUT, Block, blocks

PAGE = CHECKOUT / "CONTRIBUTING.md"
COPIED = ("stbuild", "hls_lib", "platforms", "tests")
TRIAL = """
import sys
from pathlib import Path

import torch

from tests.accelerator import accelerate, traced_image
from tests.floats import float_check
from tests.models import FeedForward, decoder


def forward(self, x):
    up = self.up_proj(x)
    return self.down_proj(torch.copysign(self.gate_proj(x), up) * up)  # no jump where the sign changes


FeedForward.forward = forward
card = accelerate(decoder(), Path(sys.argv[1]), compiler=traced_image, channels=2, lanes=1, chunk=4)
card.check((3, 5, 7, 9, 11, 2, 1), (4, 2, 1))
float_check(decoder())
print(*sorted({type(op).__name__ for block in card.graph.blocks for op in block.ops}))
"""
"""A model whose hidden vectors take signs from others, on a card and beside its floats."""


def follow(page: Path, folder: Path) -> list[str]:
    """Make the page's changes below `folder`; the paths of the files that it changes."""
    changed = []
    for block in blocks(page):
        if "/" not in block.info:
            continue
        file = folder / block.info
        text = changed_text(file.read_text(), block) if block.language == "diff" else block.text
        file.write_text(text)
        changed.append(block.info)
    return changed


def changed_text(text: str, block: Block) -> str:
    """`text` with the block's lines: those before must stand there, once and together."""
    rows = [(line[:1], line[1:]) for line in block.text.splitlines()]
    before = "".join(f"{row}\n" for kind, row in rows if kind in " -")
    after = "".join(f"{row}\n" for kind, row in rows if kind in " +")
    assert text.count(before) == 1, f"{block.info} does not have once what line {block.line} shows"
    return text.replace(before, after)


def test_the_new_op_is_bit_exact_on_an_emulated_card(tmp_path: Path) -> None:
    sources, built = tmp_path / "sources", tmp_path / "built"
    built.mkdir()
    for name in COPIED:
        shutil.copytree(CHECKOUT / name, sources / name, ignore=shutil.ignore_patterns("__pycache__"))
    assert len(follow(PAGE, sources)) == 10
    done = subprocess.run(
        [sys.executable, "-P", "-c", TRIAL, str(built)],
        cwd=sources,
        env={**os.environ, "PYTHONPATH": str(sources)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "CopySign" in done.stdout.split()
    assert "stb::copy_sign<" in (built / "design.cpp").read_text()


def test_a_diff_must_stand_in_its_file_once() -> None:
    block = Block(language="diff", info="a/b.py", text=" one\n+two\n-three\n", line=7)
    assert changed_text("zero\none\nthree\n", block) == "zero\none\ntwo\n"
    with pytest.raises(AssertionError, match=r"a/b\.py does not have once what line 7 shows"):
        changed_text("one\nfour\n", block)
