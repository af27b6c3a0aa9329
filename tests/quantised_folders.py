"""Hugging Face folders as AutoAWQ and AutoGPTQ write them, with random words for their packed numbers."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from compressed_tensors.compressors.pack_quantized.helpers import unpack_from_int32
from compressed_tensors.entrypoints.convert.converters.autoawq import AutoAWQConverter
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

Tensors = dict[str, Tensor]
AWQ = {"quant_method": "awq", "bits": 4, "version": "gemm", "zero_point": True}
GPTQ = {"quant_method": "gptq", "bits": 4, "desc_act": False, "sym": False, "checkpoint_format": "gptq"}
WORD = 2**31


@dataclass(frozen=True, kw_only=True)
class Packing:
    """A `quantization_config` with groups of `group` columns."""

    config: dict[str, Any]
    group: int = 128

    @property
    def awq(self) -> bool:
        return bool(self.config["quant_method"] == "awq")

    @property
    def stated(self) -> dict[str, Any]:
        return {**self.config, "group_size": self.group}

    def groups(self, columns: int) -> int:
        return 1 if self.group < 0 else -(-columns // self.group)


def write_folder(folder: Path, model: nn.Module, packing: Packing, seed: int = 0) -> Tensors:
    """Write config.json and model.safetensors of `model` with all linear layers but the head packed."""
    random = torch.Generator().manual_seed(seed)
    packed = {
        name: layer
        for name, layer in model.named_modules()
        if isinstance(layer, nn.Linear) and not name.endswith("lm_head")
    }
    tied = {"lm_head.weight"} if model.config.tie_word_embeddings else set()  # type: ignore[union-attr]
    tensors = {
        name: value.detach().half()
        for name, value in model.named_parameters(remove_duplicate=False)
        if name.removesuffix(".weight") not in packed and name not in tied
    }
    for name, layer in packed.items():
        tensors.update(packed_tensors(name, layer.in_features, layer.out_features, packing, random))
    folder.mkdir(parents=True, exist_ok=True)
    config: Any = model.config
    config.quantization_config = packing.stated
    config.save_pretrained(folder)
    del config.quantization_config
    save_file(tensors, folder / "model.safetensors")
    return tensors


def packed_tensors(name: str, columns: int, rows: int, packing: Packing, random: torch.Generator) -> Tensors:
    """The parts of one matrix: any words, and scales that make weights of deviation 1 / sqrt(columns)."""
    groups = packing.groups(columns)
    words = (columns, rows // 8) if packing.awq else (columns // 8, rows)
    scales = (0.75 + torch.rand(groups, rows, generator=random) / 2) / (6.5 * columns**0.5)
    parts = {
        "qweight": torch.randint(-WORD, WORD, words, generator=random, dtype=torch.int32),
        "qzeros": torch.randint(-WORD, WORD, (groups, rows // 8), generator=random, dtype=torch.int32),
        "scales": scales.half(),
    }
    if not packing.awq:
        step = columns if packing.group < 0 else packing.group
        parts["g_idx"] = (torch.arange(columns) // step).to(torch.int32)
    return {f"{name}.{part}": value for part, value in parts.items()}


def public_floats(folder: Path, packing: Packing) -> Tensors:
    """The tensors of the model in float32, unpacked by compressed-tensors."""
    stored = load_file(folder / "model.safetensors")
    owners = [name.removesuffix(".qweight") for name in stored if name.endswith(".qweight")]
    made = {
        name: value.float()
        for name, value in stored.items()
        if not name.endswith((".qweight", ".qzeros", ".scales", ".g_idx"))
    }
    for owner in owners:
        parts = [stored[f"{owner}.{part}"] for part in ("qweight", "qzeros", "scales")]
        made[f"{owner}.weight"] = _public_weight(parts[0], parts[1], parts[2], packing)
    return made


def _public_weight(qweight: Tensor, qzeros: Tensor, scales: Tensor, packing: Packing) -> Tensor:
    """[rows, columns] in float64, rounded to float32."""
    if packing.awq:
        both = AutoAWQConverter.unpack_awq(qweight, qzeros, 4)
        q, z = (part & 15 for part in AutoAWQConverter.reverse_awq_order(*both, 4))
    else:
        rows, columns = scales.shape[1], 8 * len(qweight)
        q = unpack_from_int32(qweight, 4, torch.Size((columns, rows)), packed_dim=0).short() + 8
        z = unpack_from_int32(qzeros, 4, torch.Size((len(qzeros), rows)), packed_dim=1).short() + 8
        z = z + (packing.config["checkpoint_format"] == "gptq")
    step = len(q) if packing.group < 0 else packing.group
    wide = [part.repeat_interleave(step, dim=0)[: len(q)] for part in (z, scales)]
    weight: Tensor = (q.double() - wide[0].double()) * wide[1].double()
    return weight.T.float().contiguous()
