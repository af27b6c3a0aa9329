"""Which files of a build are published, and under which paths: bundle, design, C++ and reports."""

from dataclasses import dataclass
from pathlib import Path

from stbuild.engine.graph.artifact import File, Tree
from stbuild.engine.session import Session
from stbuild.errors import StbuildError
from stbuild.library.building import BUNDLE
from stbuild.publish.oci import FILE_TYPE, TITLE, Descriptor

BUNDLE_FOLDER = "bundle"
WEIGHTS = f"{BUNDLE_FOLDER}/weights/"
TARGETS = (BUNDLE, "partition", "hls", "deploy")
"""What of a package is published. Summaries are not: they tell of speed and of the rounding of floats."""


@dataclass(frozen=True, kw_only=True)
class PublishedFile:
    """A file by its path in the artefact; `blob` is where its content lies."""

    content: Descriptor
    blob: Path

    @property
    def path(self) -> str:
        """The path in the artefact."""
        return self.content.annotations[TITLE]


def outputs_of(opened: Session, package: str) -> list[File]:
    """The outputs that are published, of those targets that the package has and the build has made."""
    found: list[File] = []
    for name in TARGETS:
        target = opened.graph.targets.get(f"//{package}:{name}")
        found += [file for file in target.files if file not in target.summary] if target else []
    if not any(isinstance(file, Tree) and file.name == BUNDLE_FOLDER for file in found):
        raise StbuildError(f"//{package} makes no bundle", hint="publish a folder with an llm_accelerator")
    return found


def files_of(opened: Session, outputs: list[File]) -> list[PublishedFile]:
    """Every file of these outputs, by its path in the artefact."""
    found: list[PublishedFile] = []
    for file in outputs:
        digest, place = opened.evaluator.digest(file), _place(file)
        if isinstance(file, Tree):
            manifest = opened.store.manifest(digest)
            found += [_file(opened, f"{place}/{path}", each) for path, each in manifest.items()]
        else:
            found.append(_file(opened, place, digest))
    return sorted(found, key=lambda each: each.path)


def _place(file: File) -> str:
    """The bundle stands at the top; of other targets the folder is named by the target."""
    made = file.made.removeprefix("out/")
    if isinstance(file, Tree) and made == BUNDLE_FOLDER:
        return made
    return f"{file.prefix.rpartition('/')[2]}/{made}"


def _file(opened: Session, path: str, digest: str) -> PublishedFile:
    """The engine names contents by SHA-256 too, so that nothing is read to name it."""
    blob = Path(opened.store.path(digest))
    content = Descriptor(
        media_type=FILE_TYPE,
        digest=f"sha256:{digest[:64]}",
        size=blob.stat().st_size,
        annotations={TITLE: path},
    )
    return PublishedFile(content=content, blob=blob)
