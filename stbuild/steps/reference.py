"""Runs the reference, teacher-forced over a device's tokens, and records the same digests."""

from pathlib import Path

from stbuild.step import F, Step, arg, main, out_tree


class Reference(Step[F]):
    """Run the reference over a device's tokens."""

    graph: F = arg("the graph in fixed point")
    tables: F = arg("position tables")
    source: F | None = arg("GGUF file or Hugging Face folder; synthetic weights without", default=None)
    options: F = arg("quantisation, seed and checkpoint names")
    tokens: F = arg("prompts and tokens of the device")
    expected: F = out_tree("the record that each prompt should have")

    def run(self: "Reference[Path]") -> None:
        from stbuild.chain.expected import expected_record
        from stbuild.chain.record import SmokeTokens, record_path
        from stbuild.frontend.checkpoint import open_checkpoint
        from stbuild.frontend.tables import read_tables
        from stbuild.ir import serde
        from stbuild.ops.files import read_graph
        from stbuild.reference import interpreter

        graph = read_graph(self.graph)
        weights = open_checkpoint(graph, self.source, self.options)
        reference = interpreter.Reference(graph=graph, weights=weights, tables=read_tables(self.tables))
        self.expected.mkdir(parents=True, exist_ok=True)
        for number, seen in enumerate(serde.read(SmokeTokens, self.tokens).prompts):
            serde.write(record_path(self.expected, number), expected_record(reference, seen))


if __name__ == "__main__":
    main(Reference)
