"""Tells models of transformers from other modules, without an import of their base class."""

import sys
from typing import TYPE_CHECKING, TypeGuard

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def is_pretrained(module: object) -> "TypeGuard[PreTrainedModel]":
    """Whether `module` is a PreTrainedModel.

    Importing that class takes two seconds; whoever made an instance of it has imported it already.
    """
    modeling = sys.modules.get("transformers.modeling_utils")
    return modeling is not None and isinstance(module, modeling.PreTrainedModel)
