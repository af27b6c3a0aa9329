"""All ops by name: a new one gets a row here."""

from stbuild.ir.op import Op
from stbuild.ir.streaming import Streaming
from stbuild.ops.add import Add
from stbuild.ops.add_param import AddParam
from stbuild.ops.affine import Affine
from stbuild.ops.argmax import Argmax
from stbuild.ops.attention import Attention
from stbuild.ops.attention_heads import AttentionHeads
from stbuild.ops.attention_scores import AttentionScores
from stbuild.ops.attention_values import AttentionValues
from stbuild.ops.attention_weights import AttentionWeights
from stbuild.ops.concat import Concat
from stbuild.ops.embed import Embed
from stbuild.ops.fan_out import FanOut
from stbuild.ops.fork import Fork
from stbuild.ops.linear import Linear
from stbuild.ops.loop_head import LoopHead
from stbuild.ops.loop_tail import LoopTail
from stbuild.ops.map import Map
from stbuild.ops.mul import Mul
from stbuild.ops.mul_param import MulParam
from stbuild.ops.norm import Norm
from stbuild.ops.position_embed import PositionEmbed
from stbuild.ops.quantize import Quantize
from stbuild.ops.rescale import Rescale
from stbuild.ops.rotary import Rotary
from stbuild.ops.slice import Slice
from stbuild.ops.split_params import SplitParams
from stbuild.ops.take_last import TakeLast

OPS: tuple[type[Op], ...] = (
    Embed, PositionEmbed, Linear, Norm, Map, Affine, Add, Mul, AddParam, MulParam, Slice, Concat, Rotary,
    Attention, Quantize, Rescale,
)  # fmt: skip
"""The ops of a graph."""
PLUMBING: tuple[type[Streaming], ...] = (
    Fork,
    LoopHead,
    LoopTail,
    TakeLast,
    Argmax,
    FanOut,
    SplitParams,
    AttentionHeads,
    AttentionScores,
    AttentionWeights,
    AttentionValues,
)
"""What a design has beside them in its streaming kernels."""
