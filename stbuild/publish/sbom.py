"""The bill of materials in CycloneDX 1.6: the model, its files, and what it was made from."""

import json
from collections.abc import Iterable
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from stbuild import __version__
from stbuild.publish.materials import Kind, Material
from stbuild.publish.oci import TITLE, Descriptor

_TYPES = {  # The files of stbuild are one component; provenance names each.
    Kind.SOURCE.value: ComponentType.FILE,
    Kind.EXTERNAL.value: ComponentType.DATA,
    Kind.PACKAGE.value: ComponentType.LIBRARY,
    Kind.PROGRAM.value: ComponentType.APPLICATION,
}


def bill_of_materials(
    name: str, subject: str, files: Iterable[Descriptor], materials: Iterable[Material]
) -> dict[str, Any]:
    """The predicate for the artefact `subject`; it has no date, and its serial number comes of the digest."""
    model = Component(
        name=name, type=ComponentType.MACHINE_LEARNING_MODEL, bom_ref=subject, hashes=[_hash(subject)]
    )
    parts = [_file(each) for each in files]
    bom = Bom(serial_number=uuid5(NAMESPACE_URL, subject), metadata=BomMetaData(component=model))
    bom.metadata.timestamp = None  # type: ignore[assignment]  # optional in the format; the type says otherwise
    made = Component(name="stbuild", version=__version__, type=ComponentType.APPLICATION, bom_ref="stbuild")
    sources = [_component(each) for each in materials if each.kind in _TYPES]
    bom.components.update([*parts, made, *sources])
    bom.register_dependency(model, [*parts, made, *sources])
    found: dict[str, Any] = json.loads(JsonV1Dot6(bom).output_as_string())
    return found


def _file(content: Descriptor) -> Component:
    path = content.annotations[TITLE]
    kind = ComponentType.DATA if path.startswith("bundle/weights/") else ComponentType.FILE
    return Component(name=path, type=kind, bom_ref=f"file:{path}", hashes=[_hash(content.digest)])


def _component(material: Material) -> Component:
    package = material.kind == Kind.PACKAGE.value
    return Component(
        name=material.name,
        version=material.version or None,
        type=_TYPES[material.kind],
        bom_ref=f"{material.kind}:{material.name}",
        purl=PackageURL("pypi", None, material.name, material.version) if package else None,
        hashes=[] if material.tree or not material.digest else [_hash(material.digest)],
        properties=[Property(name="stbuild:kind", value=material.kind)],
    )


def _hash(digest: str) -> HashType:
    return HashType(alg=HashAlgorithm.SHA_256, content=digest.removeprefix("sha256:"))
