"""A bundle whose kernel image is a test double, with a byte-level tokenizer and a chat template."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from stbuild.pack.files import RegionFiles
from stbuild.package import xclbin
from stbuild.package.axlf import Mode
from stbuild.package.bundle import (
    BufferArgument,
    Bundle,
    Manifest,
    Model,
    Provenance,
    ScalarArgument,
    load_bundle,
    write_bundle,
)
from stbuild.package.xclbin import KernelArgument, KernelIp, MemoryBank, MemType, Xclbin

VOCAB, CONTEXT, CHUNK = 272, 64, 8
TEMPLATE = """{%- for message in messages -%}
<|im_start|>{{ message.role }}
{{ message.content }}<|im_end|>
{% endfor %}
{%- if add_generation_prompt %}<|im_start|>{% endif %}"""


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The test double, compiled."""
    if shutil.which("gcc") is None:
        pytest.skip("gcc is missing: apt-get install gcc")
    return compile_shared(Path(__file__).with_name("double.c"), tmp_path_factory.mktemp("double"))


def compile_shared(source: Path, folder: Path, *flags: str) -> bytes:
    """A shared object of one C file."""
    out = folder / source.with_suffix(".so").name
    always = ("-Wall", "-Wextra", "-Werror", "-shared", "-fPIC")
    subprocess.run(["gcc", *always, *flags, "-o", out, source], check=True)
    return out.read_bytes()


@pytest.fixture
def manifest() -> Manifest:
    """Arguments in the order that double.c knows."""
    return Manifest(
        format=2,
        name="double",
        platform="u55c",
        target="sw_emu",
        xclbin="double.xclbin",
        model=Model(
            vocab_size=VOCAB,
            context=CONTEXT,
            chunk=CHUNK,
            weights=Provenance.SYNTHETIC,
            weights_source="seed 0",
            stop_tokens=(257,),
        ),
        arguments=(
            buffer("tokens", 64),
            replace(buffer("weights_0", 4096), file="weights/weights_0.bin"),
            replace(buffer("kv", CONTEXT * 4), writable=True),
            replace(buffer("logits", VOCAB * 4), writable=True),
            replace(buffer("token", 64), writable=True),
            *(ScalarArgument(scalar=name, bytes=4) for name in ("n", "pos", "head")),
        ),
    )


def buffer(name: str, size: int) -> BufferArgument:
    return BufferArgument(buffer=name, bytes=size, file=None, writable=False, first_bank=0, last_bank=0)


@pytest.fixture(scope="session")
def byte_tokenizer() -> Tokenizer:
    """One id per byte, and the tokens that frame a chat."""
    vocabulary = {char: i for i, char in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(t, special=True) for t in ("<|im_start|>", "<|im_end|>")])
    return tokenizer


def sample_xclbin(image: bytes, manifest: Manifest, mode: Mode = Mode.SW_EMU) -> Xclbin:
    control = KernelIp(name="control", units=("control_1",), arguments=tuple(kernel_arguments(manifest)))
    banks = (
        MemoryBank(tag=f"HBM[{i}]", type=MemType.HBM, bytes=2**29, base_address=i * 2**29) for i in range(2)
    )
    return Xclbin(
        name="double",
        platform="u55c",
        shell="xilinx_u55c_gen3x16_xdma_base_3",
        mode=mode,
        clock_mhz=250,
        memories=tuple(banks),
        kernels=(control,),
        image=image,
    )


def kernel_arguments(manifest: Manifest) -> Iterator[KernelArgument]:
    for each in manifest.buffers:
        for number in range(each.pointers):
            banks = tuple(range(each.first_bank, each.last_bank + 1))
            yield KernelArgument(
                name=f"{each.buffer}_{number}", bytes=8, banks=banks, port=f"m_{each.buffer}"
            )
    for scalar in manifest.scalars:
        yield KernelArgument(name=scalar.scalar, bytes=scalar.bytes)


MakeBundle = Callable[..., Path]


@pytest.fixture
def make_bundle(tmp_path: Path, image: bytes, manifest: Manifest, byte_tokenizer: Tokenizer) -> MakeBundle:
    """Writes a bundle; with `text`, the text files too."""

    def make(
        manifest: Manifest = manifest, *, text: bool = True, binary: bytes = image, mode: Mode = Mode.SW_EMU
    ) -> Path:
        parts, folder = tmp_path / "parts", tmp_path / "bundle"
        parts.mkdir(exist_ok=True)
        with RegionFiles(parts) as files:
            files.append("weights_0", np.arange(4096, dtype=np.uint8))
        byte_tokenizer.save(str(parts / "tokenizer.json"))
        config = {"bos_token": None, "eos_token": {"content": "<|im_end|>"}}
        (parts / "tokenizer_config.json").write_text(json.dumps(config))
        (parts / "chat_template.jinja").write_text(TEMPLATE)
        names = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja") if text else ()
        write_bundle(
            folder, manifest, xclbin=xclbin.encode(sample_xclbin(binary, manifest, mode)), weights=parts,
            texts=tuple(parts / name for name in names),
        )  # fmt: skip
        return folder

    return make


@pytest.fixture
def bundle(make_bundle: MakeBundle) -> Bundle:
    """The bundle with everything."""
    return load_bundle(make_bundle())
