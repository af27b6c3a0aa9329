"""The bundle: a folder with everything that a device needs to run one model, described by manifest.json."""

import os
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path, PurePosixPath

from stbuild.errors import StbuildError
from stbuild.package import axlf, schema

FORMAT = 2
MANIFEST = "manifest.json"
WEIGHTS = "weights"
TOKENIZER = "tokenizer.json"
TOKENIZER_CONFIG = "tokenizer_config.json"
CHAT_TEMPLATE = "chat_template.jinja"
TEXT_FILES = (TOKENIZER, TOKENIZER_CONFIG, CHAT_TEMPLATE)
"""What a model's text side may have; running needs none of them but for `--prompt` and `--chat`."""


class Provenance(Enum):
    """Whether results say anything about the model."""

    REAL = "real"
    SYNTHETIC = "synthetic"


@dataclass(frozen=True, kw_only=True)
class BufferArgument:
    """A buffer of the control kernel in memory banks `first_bank` to `last_bank`.

    `file` (relative to the bundle) holds its content; without one it starts with unknown content. The
    device writes only to a `writable` buffer. So many arguments of the kernel in a row point to it.
    """

    buffer: str
    bytes: int
    file: str | None
    writable: bool
    first_bank: int
    last_bank: int
    pointers: int = 1

    def __post_init__(self) -> None:
        if self.bytes <= 0:
            raise ValueError(f"buffer {self.buffer!r} has {self.bytes} bytes")
        if self.file is not None and (".." in PurePosixPath(self.file).parts or self.file.startswith("/")):
            raise ValueError(f"file {self.file!r} of buffer {self.buffer!r} leaves the bundle")


@dataclass(frozen=True, kw_only=True)
class ScalarArgument:
    """A scalar of the control kernel, of 4 or 8 bytes."""

    scalar: str
    bytes: int


Argument = BufferArgument | ScalarArgument


@dataclass(frozen=True, kw_only=True)
class Model:
    """What the host must know of the model; tokens that end an answer are `stop_tokens`.

    `system` is the message that conversations begin with; empty leaves it to the chat template.
    """

    vocab_size: int
    context: int
    chunk: int
    weights: Provenance
    weights_source: str
    stop_tokens: tuple[int, ...] = ()
    system: str = ""


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """manifest.json. `arguments` are those of the control kernel, in the order of its signature.

    `cpu_flags` are what the processor of an emulated card must have, as /proc/cpuinfo spells them.
    `shell` and `xclbin_uuid` are those of the xclbin that the bundle was made with.
    `clock_mhz` is the clock of the kernels: what the linker achieved, or on an emulated card what the design
    asks for; 0 where the bundle does not tell.
    """

    format: int
    name: str
    platform: str
    target: str
    xclbin: str
    model: Model
    arguments: tuple[Argument, ...]
    cpu_flags: tuple[str, ...] = ()
    shell: str = ""
    xclbin_uuid: str = ""
    clock_mhz: float = 0.0

    def __post_init__(self) -> None:
        if self.format != FORMAT:
            raise ValueError(
                f"this bundle has format {self.format}, this stbuild reads format {FORMAT}: build it again"
            )
        names = [a.buffer if isinstance(a, BufferArgument) else a.scalar for a in self.arguments]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"argument {name!r} is given twice in the manifest")

    @property
    def buffers(self) -> tuple[BufferArgument, ...]:
        """The buffers in the order of the arguments."""
        return tuple(a for a in self.arguments if isinstance(a, BufferArgument))

    @property
    def scalars(self) -> tuple[ScalarArgument, ...]:
        """The scalars in the order of the arguments."""
        return tuple(a for a in self.arguments if isinstance(a, ScalarArgument))


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """A bundle on disk whose files were found to be there and of the right size."""

    path: Path
    manifest: Manifest

    @property
    def xclbin(self) -> Path:
        """The file with the kernel image."""
        return self.path / self.manifest.xclbin

    def text_file(self, name: str) -> Path | None:
        """One of `TEXT_FILES`, if the bundle has it."""
        path = self.path / name
        return path if path.is_file() else None


def write_bundle(
    folder: Path, manifest: Manifest, *, xclbin: bytes, weights: Path, texts: tuple[Path, ...] = ()
) -> None:
    """Make the bundle in `folder`: files of `weights` are linked, not copied; `texts` keep their names.

    The links are symbolic. They lead to inputs of an action, which the build tool neither copies nor reads
    again when it takes in the bundle.
    """
    folder.mkdir(parents=True, exist_ok=True)
    identity = axlf.identify(xclbin, manifest.xclbin)
    manifest = replace(manifest, shell=identity.platform_vbnv, xclbin_uuid=str(identity.uuid))
    (folder / manifest.xclbin).write_bytes(xclbin)
    for buffer in manifest.buffers:
        if buffer.file is not None:
            link(weights / PurePosixPath(buffer.file).name, folder / buffer.file)
    for text in texts:
        link(text, folder / text.name)
    (folder / MANIFEST).write_text(schema.to_json(manifest), encoding="utf-8")


def link(source: Path, target: Path) -> None:
    """Make `target` a symbolic link to `source`, relative to its folder."""
    if not source.is_file():
        raise StbuildError(f"{source.name} is missing", where=str(source.parent), hint="build it again")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    target.symlink_to(os.path.relpath(source, target.parent))


def load_bundle(folder: Path) -> Bundle:
    """The bundle in `folder`; a missing, cut or foreign file is a StbuildError that names it."""
    if not (folder / MANIFEST).is_file():
        raise StbuildError(
            f"there is no bundle: {MANIFEST} is missing", where=str(folder), hint="build it first"
        )
    bundle = Bundle(path=folder, manifest=schema.read(Manifest, folder / MANIFEST))
    if not bundle.xclbin.is_file():
        raise StbuildError(
            f"the kernel image {bundle.manifest.xclbin} is missing",
            where=str(folder),
            hint="build the bundle again",
        )
    _check_xclbin(bundle)
    for buffer in bundle.manifest.buffers:
        _check_file(folder, buffer)
    return bundle


def _check_xclbin(bundle: Bundle) -> None:
    """Refuse an xclbin that was put in the place of the bundle's own."""
    manifest = bundle.manifest
    with bundle.xclbin.open("rb") as file:
        identity = axlf.identify(file.read(axlf.HEADER_BYTES), str(bundle.xclbin))
    if identity.platform_vbnv != manifest.shell:
        raise StbuildError(
            f"the xclbin is for the shell {identity.platform_vbnv}, the bundle for {manifest.shell}",
            where=str(bundle.xclbin),
            hint="build the bundle again",
        )
    if str(identity.uuid) != manifest.xclbin_uuid:
        raise StbuildError(
            f"the xclbin is that of another model or build: its UUID is {identity.uuid}, the bundle was "
            f"made with {manifest.xclbin_uuid}",
            where=str(bundle.xclbin),
            hint="build the bundle again",
        )


def _check_file(folder: Path, buffer: BufferArgument) -> None:
    if buffer.file is None:
        return
    path = folder / buffer.file
    if not path.is_file():
        raise StbuildError(
            f"{buffer.file} of buffer {buffer.buffer!r} is missing",
            where=str(folder),
            hint="build the bundle again",
        )
    size = path.stat().st_size
    if size != buffer.bytes:
        raise StbuildError(
            f"{buffer.file} has {size} bytes, buffer {buffer.buffer!r} needs {buffer.bytes}",
            where=str(folder),
            hint="build the bundle again",
        )
