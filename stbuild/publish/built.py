"""What a build gives to be published: files by digest, what they were made from and by."""

from dataclasses import dataclass
from pathlib import Path

from stbuild.engine.graph.label import Label, parse_label
from stbuild.engine.keys.digest import hash_file
from stbuild.engine.load.configured import Configuration
from stbuild.engine.session import Session
from stbuild.layout import BUILD_FILE
from stbuild.library.building import BUNDLE, bundle_of
from stbuild.package.bundle import load_bundle
from stbuild.publish.config import BundleConfig
from stbuild.publish.content import PublishedFile, files_of, outputs_of
from stbuild.publish.materials import Material, materials_of
from stbuild.publish.provenance import Asked
from stbuild.publish.provenance_writing import commit_of
from stbuild.publish.steps import Step, steps_of


@dataclass(frozen=True, kw_only=True)
class Built:
    """A project that was built and has passed its check."""

    config: BundleConfig
    files: tuple[PublishedFile, ...]
    steps: tuple[Step, ...]
    materials: tuple[Material, ...]
    asked: Asked
    commit: str


def built(opened: Session, label: Label, configuration: Configuration) -> Built:
    """What the session has just built of the project whose check is `label`."""
    outputs = outputs_of(opened, label.package)
    target = opened.graph.targets[f"//{label.package}:{BUNDLE}"]
    manifest = load_bundle(bundle_of(opened, target)).manifest
    steps, build_files = steps_of(opened, outputs), _build_files(opened)
    read = {*build_files, *(path for step in steps for path in (*step.sources, *step.code))}
    programs = {tool.name: tool.path for tool in opened.evaluator.tools.known()}
    platform, target_name, cpu = manifest.platform, manifest.target, configuration.cpu
    return Built(
        config=BundleConfig(name=manifest.name, platform=platform, target=target_name, cpu=cpu),
        files=tuple(files_of(opened, outputs)),
        steps=steps,
        materials=materials_of(steps, programs, build_files),
        asked=Asked(label=str(label), platform=configuration.platform, target=configuration.target, cpu=cpu),
        commit=commit_of(opened.workspace.root, read),
    )


def _build_files(opened: Session) -> dict[str, str]:
    """The BUILD.yaml of each package of the graph, with its digest: they say what is built of the sources."""
    packages = {parse_label(name, package="").package for name in opened.graph.targets}
    paths = {str(Path(package, BUILD_FILE)) for package in packages}
    files = {path: opened.workspace.root / path for path in paths}
    return {path: hash_file(file) for path, file in files.items() if file.is_file()}
