"""What files say of padded sizes: both sizes where a graph is padded, nothing where it is not."""

from stbuild.frontend.checkpoint import open_weights
from stbuild.frontend.padding import padded_graph
from stbuild.frontend.weights import index_of
from stbuild.ir import serde
from stbuild.ir.graph import Graph
from stbuild.ir.printer import graph_text
from stbuild.ops.concat import Concat
from stbuild.ops.linear import Linear
from stbuild.ops.norm import Norm
from stbuild.ops.slice import Slice
from stbuild.passes.report import design_report
from tests.accelerator import platform
from tests.frontend.test_padding import graph_with, parameter
from tests.network.drawn import on_largest_engine


def normed(width: int) -> Graph:
    """A layer norm between an embedding and the head."""
    norm = Norm(name="n", width=width, x="x", segment=width, eps=1e-5, center=True)
    return padded_graph(graph_with(norm, width=width))


def test_graph_and_index_have_both_sizes() -> None:
    graph = normed(40)
    assert "n : 64.16 = norm(x, segment=64, eps=1e-05, center=True, count=40); 40 elements in the model" in (
        graph_text(graph)
    )
    index = index_of(graph, open_weights(None, graph))
    head = index.formats["head.padded"]
    assert (head.shape, head.unpadded) == ((33, 64), (33, 40))


def test_the_report_has_both_sizes_of_a_matrix() -> None:
    design = on_largest_engine(normed(40))
    lines = design_report(design, platform("u55c")).splitlines()
    (line,) = (line for line in lines if " 33 x 64 " in line)
    assert line.endswith("; 33 x 40 in the model")


def test_files_of_whole_groups_say_nothing_of_padding() -> None:
    graph = normed(64)
    data = str(serde.to_data(graph))
    assert not any(word in data for word in ("padding", "'count': 0", "gaps"))
    assert "in the model" not in graph_text(graph)


def test_slices_in_any_order_get_no_more_zeros_than_they_need() -> None:
    """Heads of 25 of q, k and v in one matrix, read in another order than they stand: 32 places each."""
    whole = Linear(name="w", width=300, x="x", weight=parameter("w", 300, 40))
    starts = (25, 100, 175, 250, 50, 125, 200, 275, 0, 75, 150, 225)
    slices = [Slice(name=f"s{start}", width=25, x="w", start=start) for start in starts]
    joined = Concat(name="j", width=300, parts=tuple(s.name for s in slices))
    ops = padded_graph(graph_with(whole, *slices, joined)).blocks[0].ops
    assert {op.width for op in ops if isinstance(op, Linear | Concat)} == {384}
    padded = [op.start for op in ops if isinstance(op, Slice)]
    assert padded == [start // 25 * 32 for start in starts]
