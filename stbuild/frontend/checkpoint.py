"""Opens the weights at a path and checks that they fit the model."""

import json
from collections.abc import Mapping
from pathlib import Path

from stbuild.errors import StbuildError
from stbuild.frontend.derived_weights import source_uses, with_derived
from stbuild.frontend.gguf_file import GgufFile
from stbuild.frontend.gguf_metadata import check_metadata
from stbuild.frontend.gguf_weights import GgufWeights
from stbuild.frontend.quantisation import folder_quantisation
from stbuild.frontend.renamed import RenamedWeights, renamed_uses
from stbuild.frontend.synthetic_weights import SyntheticWeights
from stbuild.frontend.tables import Table
from stbuild.frontend.unsupported import refuse_tensors
from stbuild.frontend.weights import BODY_GROUP, Checkpoint, Uses, checked, uses_of
from stbuild.ir.design import Design
from stbuild.ir.graph import Graph


def open_weights(
    path: Path | None,
    model: Graph | Design,
    *,
    group: int = BODY_GROUP,
    seed: int = 0,
    names: Mapping[str, str] | None = None,
    tables: Mapping[str, Table] | None = None,
) -> Checkpoint:
    """The weights of `model`: a GGUF file, a safetensors file or folder, or synthetic ones without a path.

    `names` gives the checkpoint's name for parameters that are called otherwise there; without it, names may
    lack their first part, as in checkpoints of a transformers model without its head (`h.0.ln_1.weight` for
    `transformer.h.0.ln_1.weight`). A GGUF file must agree with a graph and, where they are given, with its
    position `tables`; that of a design has been compared with its graph when the index was read.
    """
    wanted = uses_of(model, group)
    uses = source_uses(wanted, model.derived)
    if path is None:
        return with_derived(SyntheticWeights.of(uses, model.derived, seed), model.derived, wanted)
    file = _gguf(path)
    if file is not None and isinstance(model, Graph):
        check_metadata(file, model, tables)
    stored = _opened(path, file, renamed_uses(uses, names) if names else uses)
    if not names and (names := _headless_names(stored, uses)):
        stored = _opened(path, file, renamed_uses(uses, names))
    own = RenamedWeights(inner=stored, stored=names) if names else stored
    return with_derived(checked(own, uses, where=str(path)), model.derived, wanted)


def open_checkpoint(
    model: Graph | Design, source: Path | None, options: Path, tables: Mapping[str, Table] | None = None
) -> Checkpoint:
    """As `open_weights`; the JSON file `options` has group, seed and perhaps names."""
    chosen = json.loads(options.read_text())
    return open_weights(
        source,
        model,
        group=int(chosen["group"]),
        seed=int(chosen["seed"]),
        names=chosen.get("names"),
        tables=tables,
    )


def _headless_names(stored: Checkpoint, uses: Uses) -> dict[str, str]:
    """The checkpoint's names if all parameters of the model without its head lack their common first part."""
    known = set(stored.names())
    for first in sorted({name.partition(".")[0] for name in uses.shapes}):
        own = {n: n.removeprefix(f"{first}.") for n in uses.shapes if n.startswith(f"{first}.")}
        if own and known.isdisjoint(own) and known.issuperset(own.values()):
            return own
    return {}


def _gguf(path: Path) -> GgufFile | None:
    if not path.exists():
        raise StbuildError("there are no such weights", where=str(path))
    return GgufFile.open(path) if path.suffix == ".gguf" else None


def _opened(path: Path, file: GgufFile | None, uses: Uses) -> Checkpoint:
    if file is not None:
        return GgufWeights.of(file, uses)
    if path.is_dir() or path.suffix == ".safetensors":
        from stbuild.frontend.float_weights import SafetensorsWeights  # these bring torch, which takes
        from stbuild.frontend.quantised_weights import QuantisedWeights  # more than a second

        quantisation = folder_quantisation(path)
        weights = SafetensorsWeights.open(path, uses)
        if quantisation is not None:
            return QuantisedWeights.of(weights, quantisation, uses)
        refuse_tensors(weights.names(), str(path))
        return weights
    raise StbuildError(
        f"weights with the ending {path.suffix!r} cannot be read",
        where=str(path),
        hint="give a .gguf file, a .safetensors file or a Hugging Face folder",
    )
