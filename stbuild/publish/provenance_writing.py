"""Writes the provenance of a build."""

import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from stbuild import __version__
from stbuild.publish.materials import Kind, Material
from stbuild.publish.provenance import BUILD_TYPE, Asked
from stbuild.publish.steps import Step

BUILDER = "urn:stbuild:local"
"""Whoever has the key: nothing but the signature vouches for the build. A hosted builder names its own."""
_GIT_S = 30


def provenance(
    asked: Asked, materials: Iterable[Material], steps: Iterable[Step], *, builder: str, commit: str
) -> dict[str, Any]:
    """The predicate, without dates and names of machines: two builds of the same are told alike."""
    sources = [{"name": "workspace", "digest": {"gitCommit": commit}}] if commit else []
    return {
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": asked.data(),
            "resolvedDependencies": [*sources, *(_dependency(each) for each in materials)],
        },
        "runDetails": {
            "builder": {"id": builder, "version": {"stbuild": __version__}},
            "byproducts": [_byproduct(step) for step in steps],
        },
    }


def commit_of(root: Path, sources: Iterable[str]) -> str:
    """The git commit that these files of the workspace are those of; '' if there is none."""
    argv = ("git", "-C", str(root))
    try:
        named = subprocess.run([*argv, "rev-parse", "HEAD"], capture_output=True, text=True, timeout=_GIT_S)
        status = [*argv, "status", "--porcelain", "--ignored", "--", *sorted(sources)]
        changed = subprocess.run(status, capture_output=True, text=True, timeout=_GIT_S)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    clean = named.returncode == changed.returncode == 0 and not changed.stdout.strip()
    return named.stdout.strip() if clean else ""


def _dependency(material: Material) -> dict[str, Any]:
    found: dict[str, Any] = {"name": material.name, "annotations": {"kind": material.kind}}
    if material.digest:
        found["digest"] = {"stbuildTree" if material.tree else "sha256": material.digest}
    if material.kind == Kind.PACKAGE.value:
        found["uri"] = f"pkg:pypi/{material.name}@{material.version}"
    elif material.version:
        found["annotations"]["version"] = material.version
    return found


def _byproduct(step: Step) -> dict[str, Any]:
    """An action by its key; `outputs` are the engine's digests, `after` and `node` the order."""
    notes = {"after": list(step.after), "node": step.node, "outputs": dict(step.outputs)}
    return {"name": step.id, "digest": {"sha256": step.key}, "annotations": notes}
