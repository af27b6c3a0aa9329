"""From a traced graph to a placed design: numerics, schedule, dataflow, FIFO depths, memory."""

import json
from pathlib import Path

from stbuild.platform import Platform
from stbuild.step import F, Step, arg, main, out


class Partition(Step[F]):
    """Bind a graph to engines, channels and memory; sizes of 0 are chosen by the platform's figures."""

    traced: F = arg("the tensor graph as traced")
    index: F = arg("the index of the weights")
    formats: F | None = arg("the project's own fraction bits; the usual ones without", default=None)
    platform: Platform = arg("the card")
    channels: int = arg("weight channels", default=0)
    lanes: int = arg("channels of a compute unit", default=0)
    chunk: int = arg("tokens of a prompt in one launch", default=0)
    token_lanes: int = arg("tokens at once", default=0)
    batch: int = arg("vectors that share a word of weights", default=0)
    clock_mhz: int = arg("the clock to ask for", default=0)
    depths: tuple[str, ...] = arg("STREAM=WORDS: a FIFO's depth set by hand", default=())
    graph: F = out("the graph in fixed point")
    design: F = out("the design")
    report: F = out("the design in words")
    resources: F = out("what it takes of the card, and whether it fits")
    area: F = out("the same to read")
    summary: F = out("closing line")

    def run(self: "Partition[Path]") -> None:
        from stbuild.chain.fixed_graph import fixed_graph
        from stbuild.ir import serde
        from stbuild.ir.weights import WeightIndex
        from stbuild.passes.judge_fit import judge_fit
        from stbuild.passes.pipeline import plan
        from stbuild.passes.report import design_report
        from stbuild.passes.sizes import SizeOverrides
        from stbuild.resources.report import resource_data, resource_report

        graph = fixed_graph(self.traced, self.formats)
        overrides = SizeOverrides(
            channels=self.channels,
            lanes=self.lanes,
            chunk=self.chunk,
            token_lanes=self.token_lanes,
            batch=self.batch,
            clock_mhz=self.clock_mhz,
        )
        index = serde.read(WeightIndex, self.index)
        depths = {stream: int(words) for stream, _, words in (d.rpartition("=") for d in self.depths)}
        design = plan(graph, index, self.platform, overrides, depths)
        judged = judge_fit(graph, index, self.platform, design, depths)
        serde.write(self.graph, graph)
        serde.write(self.design, design)
        self.report.write_text(design_report(design, self.platform))
        self.resources.write_text(json.dumps(resource_data(judged.fit, judged.rows), indent=1) + "\n")
        self.summary.write_text(json.dumps({"area": judged.fit.sentence}) + "\n")
        self.area.write_text(resource_report(design.name, self.platform, judged.fit, judged.rows))


if __name__ == "__main__":
    main(Partition)
