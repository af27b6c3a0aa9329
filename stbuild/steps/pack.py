"""Packs a checkpoint into the memory images that a design reads."""

from pathlib import Path

from stbuild.step import F, Step, arg, main, out_tree


class Pack(Step[F]):
    """Pack weights for a design: one file per constant region."""

    design: F = arg("the design")
    tables: F = arg("position tables")
    source: F | None = arg("GGUF file or Hugging Face folder; synthetic weights without", default=None)
    options: F = arg("quantisation, seed and checkpoint names")
    memory: F = out_tree("the memory images")

    def run(self: "Pack[Path]") -> None:
        from stbuild.frontend.checkpoint import open_checkpoint
        from stbuild.frontend.tables import read_tables
        from stbuild.ops.files import read_design
        from stbuild.pack.files import RegionFiles
        from stbuild.pack.images import write_memory

        design = read_design(self.design)
        weights = open_checkpoint(design, self.source, self.options)
        with RegionFiles(self.memory) as files:
            write_memory(design, weights, read_tables(self.tables), files.append)


if __name__ == "__main__":
    main(Pack)
