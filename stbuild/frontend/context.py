"""Checks that a model supports as many positions as the KV cache has."""

from torch import nn

from stbuild.errors import StbuildError
from stbuild.frontend.pretrained import is_pretrained


def check_context(model: nn.Module, context: int) -> None:
    """Refuse a `context` above the positions that the configuration of a Hugging Face model names."""
    if not is_pretrained(model):
        return
    config = model.config.get_text_config()
    most = getattr(config, "max_position_embeddings", None)
    if isinstance(most, int) and 0 < most < context:
        raise StbuildError(
            f"a context of {context:,} is more than the model's max_position_embeddings of {most:,}",
            hint=f"set `context` in BUILD.yaml to {most} or less",
        )
