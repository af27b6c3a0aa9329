"""Traces decode and prefill in two processes at once; they must give one graph."""

import multiprocessing
from multiprocessing.connection import Connection

import torch
from torch import nn

from stbuild.errors import StbuildError
from stbuild.frontend.exported import ExportedModel
from stbuild.frontend.model_graph import ModelGraph, check_prefill, decode_graph, prefill_ops


def checked_graph(model: nn.Module | ExportedModel, *, name: str, context: int) -> ModelGraph:
    """The graph of `model` from a decode step, checked against that of a prefill."""
    fork = multiprocessing.get_context("fork")
    here, there = fork.Pipe(duplex=False)
    process = fork.Process(target=_send_prefill, args=(there, model, context), daemon=True)
    process.start()
    there.close()
    traced = decode_graph(model, name=name, context=context)
    try:
        answer = here.recv()
    except EOFError:
        raise RuntimeError("the process that traces the prefill died") from None
    finally:
        process.join()
    if isinstance(answer, Exception):
        raise answer
    ops, logits = answer
    check_prefill(traced.graph, ops, logits)
    return traced


def _send_prefill(out: Connection, model: nn.Module | ExportedModel, context: int) -> None:
    """In the forked process: the flat ops of a prefill, or the exception."""
    torch.set_num_threads(1)
    try:
        flat = prefill_ops(model, context=context)
        out.send((flat.ops, flat.logits))
    except StbuildError as error:
        out.send(StbuildError(error.message, where=error.where, hint=error.hint))
    except Exception as error:  # it is raised again in the parent
        out.send(RuntimeError(f"tracing the prefill failed: {type(error).__name__}: {error}"))
