"""A design with two engines, each of its own sizes: it never hangs, and gives the reference's bits."""

from pathlib import Path

from stbuild.ir.engine import Engine, EngineRole
from tests.accelerator import LONG, accelerate, traced_image
from tests.models import decoder
from tests.network.emulated import programmed, traces_of

ENGINES = (
    Engine(role=EngineRole.BODY, lanes=(3, 2), token_lanes=2, chunk=4, batch=4),
    Engine(role=EngineRole.HEAD, lanes=(2,), token_lanes=1, chunk=1, batch=1),
)
CHUNKS = (4, 1, 3, 2, *(4,) * 14, 1, 4)


def test_two_engines_do_as_their_programs_say_and_give_the_reference_s_bits(tmp_path: Path) -> None:
    model = decoder(value_embedding="own")  # rows are sent in every run of the layers
    card = accelerate(model, tmp_path, compiler=traced_image, engines=ENGINES)
    assert card.design.engines == ENGINES
    assert {op.engine for op in card.design.matmuls} == {0, 1}
    for launch, trace in traces_of(card, LONG, CHUNKS):
        assert trace == programmed(card.design, launch), launch
    card.check(LONG, CHUNKS)
