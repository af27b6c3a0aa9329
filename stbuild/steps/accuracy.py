"""Measures the arithmetic on English text: the reference against the model itself in float32."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

from stbuild.errors import StbuildError
from stbuild.step import F, Step, arg, main, out


class Accuracy(Step[F]):
    """Measure the arithmetic against float32; fail if a limit is missed."""

    graph: F = arg("the tensor graph as traced")
    tables: F = arg("position tables")
    model: F = arg("file that defines model(), or folder of an exported model")
    merge_lora: bool = arg("merge the matrices of LoRA modules", default=False)
    formats: F | None = arg("the project's own fraction bits; the usual ones without", default=None)
    source: F | None = arg("GGUF file or Hugging Face folder; synthetic weights without", default=None)
    options: F = arg("quantisation, seed and checkpoint names")
    tokenizer: F = arg("folder with tokenizer.json")
    tokens: int = arg("how many tokens are scored")
    window: int = arg("tokens that are scored together")
    report: F = out("the figures")
    figures: F = out("the figures as JSON")
    summary: F = out("closing line")

    def run(self: "Accuracy[Path]") -> None:
        from stbuild.chain.english import english_tokens, exact_logits, float_logits, report
        from stbuild.chain.fixed_graph import fixed_graph
        from stbuild.chain.float_run import lazy_model
        from stbuild.frontend.checkpoint import open_checkpoint
        from stbuild.frontend.tables import read_tables
        from stbuild.ops.files import read_graph
        from stbuild.reference.accuracy import measure
        from stbuild.reference.interpreter import Reference

        graph = read_graph(self.graph)
        weights = open_checkpoint(graph, self.source, self.options)
        if weights.synthetic:
            raise StbuildError(
                "accuracy is measured on real weights, and these are synthetic",
                hint="give the project weights",
            )
        fixed = fixed_graph(self.graph, self.formats)
        exact = Reference(graph=fixed, weights=weights, tables=read_tables(self.tables))
        tokens = english_tokens(self.tokenizer, self.tokens)
        window = min(self.window, graph.context)
        model = lazy_model(self.model, window, lora_merged=self.merge_lora)()
        floats = float_logits(model, graph, weights)
        found = measure(exact_logits(exact), floats, tokens, window)
        text = report(found, weights.source)
        self.report.write_text(text)
        self.figures.write_text(json.dumps(asdict(found), indent=1) + "\n")
        self.summary.write_text(json.dumps({"check": found.line()}, indent=1) + "\n")
        sys.stdout.write(text)
        if not found.holds:
            raise StbuildError(
                "the integer results differ from float32 by more than the limits", where=str(self.report)
            )


if __name__ == "__main__":
    main(Accuracy)
