"""Weights from a GGUF file under the names of the Hugging Face model, 4- and 8-bit blocks as stored."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import gguf
import numpy as np
from numpy.typing import NDArray

from stbuild.errors import StbuildError
from stbuild.frontend.gguf_file import GgufFile, GgufTensor
from stbuild.frontend.untyped import AnyArray
from stbuild.frontend.weights import Checkpoint, Uses, finite, rounded
from stbuild.ir.packed import MatrixForm, PackedMatrix

BLOCK = 32
"""Columns of one Q4_0, Q4_1 or Q8_0 block."""
MOST_HEADS = 1 << 16
NEIGHBOURS = frozenset(
    (
        *(
            "llama",
            "llama4",
            "llada",
            "mistral3",
            "smollm3",
            "arcee",
            "granite",
            "granitemoe",
            "granitehybrid",
        ),
        *(
            "olmo",
            "minicpm",
            "internlm2",
            "xverse",
            "baichuan",
            "deci",
            "deepseek",
            "deepseek2",
            "arctic",
            "plm",
        ),
        *("command-r", "cohere2", "chatglm", "glm4", "chameleon", "bailingmoe", "ernie4_5", "ernie4_5-moe"),
    )
)
"""Architectures whose rows of q and k are stored for a rotary embedding of neighbours: LLAMA_ROPE_TYPE_NORM
in llama.cpp's llama_model_rope_type (src/llama-model.cpp)."""
_FLOATS = ("F64", "F32", "F16", "BF16")
_SUFFIXES = (".weight", ".bias")
_CONSTANTS = ("rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight")


@dataclass(frozen=True, kw_only=True, eq=False)
class GgufWeights(Checkpoint):
    """The tensors of `file` by the model's names; `places` maps these to the file's."""

    file: GgufFile
    places: Mapping[str, str]
    uses: Uses

    @staticmethod
    def of(file: GgufFile, uses: Uses) -> "GgufWeights":
        """The tensors that the model uses, then all others under the file's own names."""
        known = _names(file)
        own = {n: known(n) for n in sorted(uses.shapes)}
        places = {n: p for n, p in own.items() if p in file.tensors}
        taken = set(places.values())
        for place in taken:
            _check_format(file.tensors[place], place, file)
        places.update({p: p for p in file.tensors if p not in taken and p not in _CONSTANTS})
        return GgufWeights(file=file, places=places, uses=uses)

    @property
    def source(self) -> str:
        """What the weights are."""
        formats = [t.format for t in self.file.tensors.values()]
        return f"{self.file.path.name} ({max(sorted(set(formats)), key=formats.count)})"

    def names(self) -> tuple[str, ...]:
        """All names, sorted."""
        return tuple(sorted(self.places))

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape, rows first."""
        return self._stored(name).shape

    def form(self, name: str) -> MatrixForm:
        """Blocks as stored; floats as the graph wants them; what must be rounded again gets 8 bits."""
        use, tensor = self.uses.matrices[name], self._stored(name)
        if tensor.format in _FLOATS:
            return use.form
        kept = tensor.format in _READERS and not use.transposed
        return MatrixForm(bits=4 if kept and tensor.format != "Q8_0" else 8, group=BLOCK)

    def as_stored(self, name: str) -> bool:
        """Whether its blocks are those of the card."""
        return self._stored(name).format in _READERS and not self.uses.matrices[name].transposed

    def array(self, name: str) -> NDArray[np.float32]:
        """A tensor in float32, in the Hugging Face model's row order."""
        tensor = self._stored(name)
        stored = finite(_dequantised(tensor, tensor.data), name).reshape(tensor.shape)
        data: NDArray[np.float32] = self._in_order(name, stored)
        return data - 1 if self._is_gemma_norm(name) else data

    def rows(self, name: str, start: int, stop: int) -> NDArray[np.float32]:
        """Rows of a tensor whose rows stand in the file as in the model."""
        tensor = self._stored(name)
        if self._heads(name) or len(tensor.shape) != 2:
            return self.array(name)[start:stop]
        part = finite(_dequantised(tensor, tensor.data[start:stop]), name)
        return part.reshape(-1, tensor.shape[1])

    def matrix(self, name: str) -> PackedMatrix:
        """A matrix: Q4_0, Q4_1 and Q8_0 as stored, others rounded as `form` says."""
        use, tensor = self.uses.matrices[name], self._stored(name)
        form = self.form(name)
        if use.transposed or tensor.format not in _READERS:
            weight = self.array(name)
            return rounded(np.ascontiguousarray(weight.T) if use.transposed else weight, form)
        d, m, q = (self._in_order(name, part) for part in _READERS[tensor.format](tensor))
        finite(d, name), finite(m, name)
        rows, cols = tensor.shape
        return PackedMatrix(rows=rows, cols=cols, group=form.group, bits=form.bits, d=d, m=m, q=q)

    def _stored(self, name: str) -> GgufTensor:
        return self.file.tensors[self.places[name]]

    def _heads(self, name: str) -> int:
        """The heads whose rows are stored as neighbours though the model rotates halves; 0 for other tensors.

        Raises StbuildError when the metadata gives heads that do not share the tensor's rows evenly.
        """
        place, rows = self.places[name], self.shape(name)[0]
        stored = self.file.architecture in NEIGHBOURS and not self.uses.neighbours
        if not stored or not (".attn_q." in place or ".attn_k." in place):
            return 0
        heads = self.file.model_count("attention.head_count", most=MOST_HEADS)
        if ".attn_k." in place:
            heads = self.file.model_count("attention.head_count_kv", most=heads, default=heads)
        if rows % (2 * heads):
            raise StbuildError(
                f"the GGUF file says {heads} heads, which {rows} rows of {place!r} do not share evenly",
                where=str(self.file.path),
            )
        return heads

    def _in_order(self, name: str, data: AnyArray) -> AnyArray:
        """Undo the interleaving of rows."""
        heads = self._heads(name)
        if not heads:
            return data
        pairs = data.reshape(heads, data.shape[0] // heads // 2, 2, *data.shape[1:])
        return np.ascontiguousarray(pairs.swapaxes(1, 2).reshape(data.shape))

    def _is_gemma_norm(self, name: str) -> bool:
        return self.file.architecture.startswith("gemma") and self.places[name].endswith("norm.weight")


def _names(file: GgufFile) -> Callable[[str], str]:
    """From the model's tensor names to the file's, by the gguf package's own table."""
    architecture = next((a for a, n in gguf.MODEL_ARCH_NAMES.items() if n == file.architecture), None)
    if architecture is None:
        raise StbuildError(f"unknown GGUF architecture {file.architecture!r}", where=str(file.path))
    blocks = file.model_count("block_count", most=max(len(file.tensors), 1))
    table = gguf.get_tensor_name_map(architecture, blocks)

    def name_in_file(name: str) -> str:
        found = table.get_name(name, try_suffixes=_SUFFIXES)
        return name if found is None else str(found)

    return name_in_file


def _check_format(tensor: GgufTensor, name: str, file: GgufFile) -> None:
    """Refuse a format that the gguf package cannot turn into floats, such as plain integers."""
    try:
        _dequantised(tensor, tensor.data[:1])
    except NotImplementedError:
        raise StbuildError(
            f"the tensor {name!r} is in the format {tensor.format}, which cannot be read",
            where=str(file.path),
            hint="convert the model to F16, Q8_0, Q4_1 or Q4_0",
        ) from None


def _dequantised(tensor: GgufTensor, data: AnyArray) -> NDArray[np.float32]:
    """Some rows of a tensor in float32."""
    if tensor.format in ("F64", "F32", "F16"):
        return data.astype(np.float32)
    kind = gguf.GGMLQuantizationType[tensor.format]
    floats: NDArray[np.float32] = gguf.quants.dequantize(data, kind).astype(np.float32)
    return floats


def _blocks(tensor: GgufTensor, size: int) -> NDArray[np.uint8]:
    return tensor.data.reshape(tensor.shape[0], -1, size)


def _half(blocks: NDArray[np.uint8], at: int) -> NDArray[np.float16]:
    return np.ascontiguousarray(blocks[:, :, at : at + 2]).view(np.float16)[:, :, 0]


def _nibbles(blocks: NDArray[np.uint8]) -> NDArray[np.uint8]:
    q = np.concatenate([blocks & 15, blocks >> 4], axis=2)
    return q.reshape(q.shape[0], -1)


def _read_q4_1(tensor: GgufTensor) -> tuple[AnyArray, ...]:
    blocks = _blocks(tensor, 20)
    return _half(blocks, 0), _half(blocks, 2), _nibbles(blocks[:, :, 4:])


def _read_q4_0(tensor: GgufTensor) -> tuple[AnyArray, ...]:
    blocks = _blocks(tensor, 18)
    d = _half(blocks, 0)
    return d, (d * np.float16(-8)).astype(np.float16), _nibbles(blocks[:, :, 2:])


def _read_q8_0(tensor: GgufTensor) -> tuple[AnyArray, ...]:
    blocks = _blocks(tensor, 34)
    d = _half(blocks, 0)
    q = np.ascontiguousarray(blocks[:, :, 2:]).view(np.int8)
    return d, np.zeros_like(d), q.reshape(q.shape[0], -1)


_READERS: dict[str, Callable[[GgufTensor], tuple[AnyArray, ...]]] = {
    "Q4_0": _read_q4_0,
    "Q4_1": _read_q4_1,
    "Q8_0": _read_q8_0,
}
