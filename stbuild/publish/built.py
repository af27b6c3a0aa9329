"""What a build gives to be published: files by digest, what they were made from and by."""

from dataclasses import dataclass

from stbuild.engine.graph.label import Label
from stbuild.engine.load.configured import Configuration
from stbuild.engine.session import Session
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
    steps = steps_of(opened, outputs)
    programs = {tool.name: tool.path for tool in opened.evaluator.tools.known()}
    platform, target_name, cpu = manifest.platform, manifest.target, configuration.cpu
    return Built(
        config=BundleConfig(name=manifest.name, platform=platform, target=target_name, cpu=cpu),
        files=tuple(files_of(opened, outputs)),
        steps=steps,
        materials=materials_of(steps, programs),
        asked=Asked(label=str(label), platform=configuration.platform, target=configuration.target, cpu=cpu),
        commit=commit_of(opened.workspace.root, {path for step in steps for path in step.sources}),
    )
