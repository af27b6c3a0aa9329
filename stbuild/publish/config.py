"""The config of a published bundle: what it is for, and which of its weights are to be had elsewhere."""

from dataclasses import dataclass

from stbuild.errors import StbuildError
from stbuild.publish.oci import FILE_TYPE, TITLE, Descriptor, canonical, parse_json, refuse_paths
from stbuild.publish.reference import parse_reference

FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class BundleConfig:
    """`elsewhere` are files that are no layers; `weights_from` is the place that has their contents."""

    name: str
    platform: str
    target: str
    cpu: str
    weights_from: str = ""
    elsewhere: tuple[Descriptor, ...] = ()

    @property
    def release_name(self) -> str:
        """What is published, by name: other models, cards and targets have others."""
        return f"{self.name}-{self.platform}-{self.target}"

    @property
    def files(self) -> dict[str, Descriptor]:
        """What is to be had elsewhere, by path."""
        return {each.annotations[TITLE]: each for each in self.elsewhere}

    def encode(self) -> bytes:
        """The bytes of the config."""
        fields: dict[str, object] = {
            "format": FORMAT,
            "name": self.name,
            "platform": self.platform,
            "target": self.target,
            "cpu": self.cpu,
        }
        if self.elsewhere:
            files = [
                {"path": f.annotations[TITLE], "digest": f.digest, "size": f.size} for f in self.elsewhere
            ]
            fields |= {"weightsFrom": self.weights_from, "elsewhere": files}
        return canonical(fields)


def decode_config(data: bytes, where: str) -> BundleConfig:
    """The config of these bytes."""
    try:
        fields = parse_json(data)
        if fields["format"] != FORMAT:
            raise ValueError(f"it has format {fields['format']}, this stbuild reads format {FORMAT}")
        texts = {name: fields[name] for name in ("name", "platform", "target", "cpu")}
        texts["weights_from"] = fields.get("weightsFrom", "")
        if not all(isinstance(text, str) for text in texts.values()):
            raise ValueError("a field is not a text")
        elsewhere = tuple(_file(each) for each in fields.get("elsewhere", ()))
        refuse_paths([each.annotations[TITLE] for each in elsewhere])
        if elsewhere:
            parse_reference(texts["weights_from"])
        return BundleConfig(**texts, elsewhere=elsewhere)
    except (KeyError, TypeError, ValueError, StbuildError) as error:
        raise StbuildError(f"the artefact's config is damaged: {error}", where=where, exit_code=1) from None


def _file(fields: dict[str, object]) -> Descriptor:
    path, digest, size = fields["path"], fields["digest"], fields["size"]
    if not (isinstance(path, str) and isinstance(digest, str) and type(size) is int):
        raise ValueError("a file is without path, digest or size")
    return Descriptor(media_type=FILE_TYPE, digest=digest, size=size, annotations={TITLE: path})
