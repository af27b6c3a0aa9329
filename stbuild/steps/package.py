"""Makes the bundle of a design: xclbin, weights, manifest, tokenizer."""

from pathlib import Path
from typing import TYPE_CHECKING

from stbuild.errors import StbuildError
from stbuild.platform import Platform
from stbuild.step import F, Step, arg, main, out_tree

if TYPE_CHECKING:
    from stbuild.ir.design import Design


class Package(Step[F]):
    """Make a bundle, of an emulated image or of a linker's xclbin; weights are linked, never copied."""

    design: F = arg("the design")
    index: F = arg("the index of the weights")
    platform: Platform = arg("the card")
    target: str = arg("the target that it was built for")
    system: str = arg("the message that conversations begin with")
    cpu: str = arg("the processor that the image is made for: native, or a baseline")
    image: F | None = arg("the kernel image, which an xclbin is made around", default=None)
    xclbin: F | None = arg("a linker's xclbin, which is taken as it is", default=None)
    link_report: F | None = arg("what the linker achieved", default=None)
    beside: tuple[F, ...] = arg("another file of the bundle", default=())
    memory: F = arg("folder of memory images")
    tokenizer: F = arg("folder of tokenizer files")
    bundle: F = out_tree("the bundle")

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.image is None) == (self.xclbin is None):
            raise StbuildError("a bundle is made of an image or of an xclbin")

    def run(self: "Package[Path]") -> None:
        from stbuild.chain.bundle_files import manifest_of
        from stbuild.ir import serde
        from stbuild.ir.weights import WeightIndex
        from stbuild.ops.files import read_design
        from stbuild.package import schema
        from stbuild.package.bundle import TEXT_FILES, write_bundle
        from stbuild.package.link_report import LinkReport

        design = read_design(self.design)
        linked = schema.read(LinkReport, self.link_report) if self.link_report else None
        manifest = manifest_of(
            design,
            serde.read(WeightIndex, self.index),
            self.platform,
            target=self.target,
            system=self.system,
            cpu=self.cpu,
            clock_mhz=linked.clock_mhz if linked else float(design.sizes.clock_mhz),
            memory=self.memory,
            tokenizer=self.tokenizer,
        )
        texts = tuple(self.tokenizer / t for t in TEXT_FILES if (self.tokenizer / t).is_file())
        write_bundle(
            self.bundle,
            manifest,
            xclbin=_xclbin(self, design),
            weights=self.memory,
            texts=(*texts, *self.beside),
        )


def _xclbin(step: Package[Path], design: "Design") -> bytes:
    from stbuild.chain.bundle_files import emulated_xclbin
    from stbuild.package import xclbin

    if step.image is None:
        assert step.xclbin is not None
        return step.xclbin.read_bytes()
    image = step.image.read_bytes()
    return xclbin.encode(emulated_xclbin(design, step.platform, image))


if __name__ == "__main__":
    main(Package)
