"""Checks that the graph is the model, in floats, and that the card's integers are near the graph."""

import json
from pathlib import Path

from stbuild.step import F, Step, arg, main, out, uncollected


class FloatCheck(Step[F]):
    """Compare a model, its graph and the card's integers; fail if they do not agree."""

    graph: F = arg("the tensor graph as traced")
    tables: F = arg("position tables")
    lines: F = arg("source lines of the graph's ops")
    model: F = arg("file that defines model(), or folder of an exported model")
    merge_lora: bool = arg("merge the matrices of LoRA modules", default=False)
    formats: F | None = arg("the project's own fraction bits; the usual ones without", default=None)
    source: F | None = arg("GGUF file or Hugging Face folder; synthetic weights without", default=None)
    options: F = arg("quantisation, seed and checkpoint names")
    tokenizer: F = arg("folder that may have tokenizer.json")
    report: F = out("all figures")
    summary: F = out("closing line")
    verdict: F = out("that they agree, without a figure")

    def run(self: "FloatCheck[Path]") -> None:
        from stbuild.chain.fixed_graph import fixed_graph

        graph = fixed_graph(self.graph, self.formats)
        with uncollected():
            from stbuild.chain.float_report import checked, closing_line, load_run, report  # brings torch
        run = load_run(self, graph)
        agreement, outcome = checked(run, json.loads(self.lines.read_text()))
        self.report.write_text("\n".join(report(run, agreement, outcome)) + "\n")
        line = closing_line(run, agreement, outcome)
        self.summary.write_text(json.dumps({"floats": line}, indent=1) + "\n")
        self.verdict.write_text("the model, its graph and the card's integers agree\n")


if __name__ == "__main__":
    main(FloatCheck)
