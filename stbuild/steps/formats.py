"""Proposes fraction bits for a model whose values the usual ones do not hold, from its weights."""

import json
from pathlib import Path

from stbuild.step import F, Step, arg, main, out


class Formats(Step[F]):
    """Propose fraction bits for a model; fail if its integers are not near its floats even with them."""

    graph: F = arg("the tensor graph as traced")
    tables: F = arg("position tables")
    lines: F = arg("source lines of the graph's ops")
    model: F = arg("file that defines model(), or folder of an exported model")
    merge_lora: bool = arg("merge the matrices of LoRA modules", default=False)
    source: F | None = arg("GGUF file or Hugging Face folder; synthetic weights without", default=None)
    options: F = arg("quantisation, seed and checkpoint names")
    tokenizer: F = arg("folder that may have tokenizer.json")
    formats: F = out("fraction bits")
    report: F = out("what holds with them")
    summary: F = out("closing line")

    def run(self: "Formats[Path]") -> None:
        from stbuild.chain.proposal import checked_proposal, said
        from stbuild.ir.formats import formats_text
        from stbuild.ops.files import read_graph

        formats, holds = checked_proposal(self, read_graph(self.graph), json.loads(self.lines.read_text()))
        self.formats.write_text(formats_text(formats))
        line = "; ".join(said(formats))
        self.report.write_text(f"{line}\nwith them, {holds}\n")
        self.summary.write_text(json.dumps({"formats": line}, indent=1) + "\n")


if __name__ == "__main__":
    main(Formats)
