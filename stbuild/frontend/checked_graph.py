"""Traces decode and prefill in two processes at once; they must give one graph."""

import multiprocessing
from dataclasses import replace
from multiprocessing.connection import Connection

import torch
import torch.export._trace  # torch.export would import it in both processes, for a second of each
from torch import nn

from stbuild.errors import StbuildError
from stbuild.frontend.exported import ExportedModel
from stbuild.frontend.model_graph import ModelGraph, check_prefill, decode_graph, prefill_ops
from stbuild.ir.derived import Derived
from stbuild.ir.graph import Graph


def checked_graph(
    model: nn.Module | ExportedModel, *, name: str, context: int, merged: tuple[Derived, ...] = ()
) -> ModelGraph:
    """The graph of `model` from a decode step, checked against that of a prefill.

    `merged` are parameters of the model that are themselves computed from the checkpoint's.
    """
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
    check_prefill(traced.graph, answer)
    return replace(traced, graph=with_merged(traced.graph, merged))


def with_merged(graph: Graph, merged: tuple[Derived, ...]) -> Graph:
    """`graph` with those of `merged` that it uses."""
    used = {n for block in graph.blocks for op in block.ops for _, param in op.params for n in param.names}
    used.update(source for each in graph.derived for source in each.sources)
    return replace(graph, derived=(*graph.derived, *(m for m in merged if m.name in used)))


def _send_prefill(out: Connection, model: nn.Module | ExportedModel, context: int) -> None:
    """In the forked process: the flat model of a prefill, or the exception."""
    torch.set_num_threads(1)
    try:
        flat = prefill_ops(model, context=context)
        out.send(replace(flat, tables={}, masks=()))  # These hold tensors, and are checked already.
    except StbuildError as error:
        out.send(StbuildError(error.message, where=error.where, hint=error.hint))
    except Exception as error:  # it is raised again in the parent
        out.send(RuntimeError(f"tracing the prefill failed: {type(error).__name__}: {error}"))
