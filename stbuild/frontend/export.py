"""Exports a module in the process that holds it, and compares the programs with it."""

import threading

from torch import nn

from stbuild.errors import StbuildError
from stbuild.frontend.export_check import check_export
from stbuild.frontend.exported import ExportedModel
from stbuild.frontend.prepared_module import prepared_for_export
from stbuild.frontend.pretrained import is_pretrained
from stbuild.frontend.runnable import PREFILL_TOKENS
from stbuild.frontend.trace import trace

CONTEXT = 2048
"""Positions of the KV cache where nobody says how many."""
ALONE = threading.Lock()
"""torch.export works for one thread at a time, and a module that is traced has no values meanwhile."""


def export_model(module: nn.Module, context: int | None = None) -> ExportedModel:
    """Trace `module`, which stays as it is, with a KV cache of `context` positions.

    Raises StbuildError if the programs compute something else than the module.
    """
    positions = _positions(module, context)
    with ALONE, prepared_for_export(module):
        decode = trace(module, context=positions)
        prefill = trace(module, context=positions, tokens=min(PREFILL_TOKENS, positions))
        exported = ExportedModel(decode=decode, prefill=prefill)
        check_export(module, exported)
    return exported


def unwrapped(module: object) -> nn.Module:
    """The module itself if torch.compile wrapped it."""
    inner = getattr(module, "_orig_mod", module)
    if isinstance(inner, nn.Module):
        return inner
    hint = "call it first" if isinstance(inner, type) else None
    name = f"the class {inner.__name__}" if isinstance(inner, type) else type(inner).__name__
    raise StbuildError(f"a model is a torch.nn.Module or a path, got {name}", hint=hint)


def _positions(module: nn.Module, context: int | None) -> int:
    most = 0
    if is_pretrained(module):
        most = getattr(module.config.get_text_config(), "max_position_embeddings", None) or 0
    if context is None:
        return min(most or CONTEXT, CONTEXT)
    if 0 < most < context:
        message = f"a context of {context:,} is more than the model's max_position_embeddings of {most:,}"
        raise StbuildError(message, hint=f"give a context of {most} or less")
    return context
