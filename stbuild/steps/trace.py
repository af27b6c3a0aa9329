"""From a project's model file to the tensor graph and its position tables."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from stbuild.errors import StbuildError
from stbuild.step import F, Step, arg, main, out

if TYPE_CHECKING:
    from stbuild.frontend.model_graph import ModelGraph
    from stbuild.ir.graph import Graph


class Trace(Step[F]):
    """Trace a decode step and a prefill of a model, check that they are one graph, and write it."""

    model: F = arg("file that defines model(), or folder of an exported model")
    context: int = arg("positions of the KV cache")
    name: str = arg("the model's name")
    merge_lora: bool = arg("merge the matrices of LoRA modules", default=False)
    graph: F = out("the tensor graph")
    tables: F = out("position tables")
    names: F = out("checkpoint names that differ from the model's")
    lines: F = out("source lines of the graph's ops")
    text: F = out("the graph in words")

    def run(self: "Trace[Path]") -> None:
        if self.model.is_dir():
            return _exported(self)
        from stbuild.frontend.model_source import check_source

        check_source(self.model)
        from stbuild.frontend.checked_graph import checked_graph
        from stbuild.frontend.context import check_context  # these import torch, which takes seconds
        from stbuild.frontend.model_file import load_model

        loaded = load_model(self.model, lora_merged=self.merge_lora)
        try:
            check_context(loaded.module, self.context)
            traced = checked_graph(loaded.module, name=self.name, context=self.context, merged=loaded.merged)
        except StbuildError as error:
            error.where = error.where or str(self.model)
            raise
        _write(self, traced, loaded.weight_names)
        return None


def _exported(step: Trace[Path]) -> None:
    """The same of a model that was exported before."""
    from stbuild.frontend.checked_graph import checked_graph
    from stbuild.frontend.exported import read_exported

    model = read_exported(step.model)
    if model.decode.context != step.context:
        message = f"the model was exported for a context of {model.decode.context}, not of {step.context}"
        raise StbuildError(message, where=str(step.model), hint="export it again, or set `context` to that")
    _write(step, checked_graph(model, name=step.name, context=step.context), {})


def _write(step: Trace[Path], traced: "ModelGraph", names: dict[str, str]) -> None:
    from stbuild.frontend.tables import write_tables
    from stbuild.ir import serde
    from stbuild.ir.printer import graph_text

    serde.write(step.graph, traced.graph)
    write_tables(step.tables, traced.tables)
    step.names.write_text(json.dumps(dict(sorted(names.items())), indent=1) + "\n")
    step.lines.write_text(json.dumps(source_lines(traced.graph), indent=1, sort_keys=True) + "\n")
    step.text.write_text(graph_text(traced.graph))


def source_lines(graph: "Graph") -> dict[str, str]:
    """The model's source line of each op, by block and value."""
    return {f"{block.name}/{op.name}": op.line for block in graph.blocks for op in block.ops if op.line}


if __name__ == "__main__":
    main(Trace)
