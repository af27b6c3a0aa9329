"""From a checkpoint to its index and its tokenizer's files; values are read when they are packed."""

import json
from pathlib import Path

from stbuild.errors import StbuildError
from stbuild.step import F, Step, arg, main, out, out_tree


class Weights(Step[F]):
    """Read the names, shapes and formats of a checkpoint, and its tokenizer."""

    graph: F = arg("the tensor graph")
    tables: F = arg("position tables")
    names: F = arg("checkpoint names that differ from the model's")
    source: F | None = arg("GGUF file or Hugging Face folder; synthetic weights without", default=None)
    group: int = arg("columns of a matrix that share a scale")
    seed: int = arg("seed of synthetic weights")
    index: F = out("the index of the weights")
    options: F = out("quantisation, seed and checkpoint names")
    tokenizer: F = out_tree("the tokenizer's files")

    def run(self: "Weights[Path]") -> None:
        from stbuild.frontend.checkpoint import open_checkpoint
        from stbuild.frontend.tables import read_tables
        from stbuild.frontend.tokenizer_files import write_tokenizer
        from stbuild.frontend.weights import index_of
        from stbuild.ir import serde
        from stbuild.ops.files import read_graph

        graph = read_graph(self.graph)
        options = {"group": self.group, "seed": self.seed, "names": json.loads(self.names.read_text())}
        self.options.write_text(json.dumps(options, indent=1, sort_keys=True) + "\n")
        checkpoint = open_checkpoint(graph, self.source, self.options, read_tables(self.tables))
        serde.write(self.index, index_of(graph, checkpoint))
        self.tokenizer.mkdir(parents=True, exist_ok=True)
        if self.source:
            write_tokenizer(self.source, self.tokenizer)
            check_tokenizer(self.tokenizer, self.source)


def check_tokenizer(folder: Path, source: Path) -> None:
    """Refuse files in `folder` that a runtime could not use, by the name that they have in `source`."""
    from stbuild.package.bundle import TOKENIZER
    from stbuild.runtime.text import read_text_side
    from stbuild.runtime.tokenizer import stop_tokens

    try:
        if (folder / TOKENIZER).is_file():
            read_text_side(folder)
        stop_tokens(folder)
    except StbuildError as error:
        name = Path(error.where or "").name
        error.where = str(source / name if source.is_dir() else source)
        raise


if __name__ == "__main__":
    main(Weights)
