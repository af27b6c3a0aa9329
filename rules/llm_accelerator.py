"""The chain from a PyTorch model to a checked deployment."""

from dataclasses import dataclass

from stbuild.api import Entry, macro

TIMED = ("STB_TIMED=1",)
"""The emulated network counts cycles."""
SIZES = ("channels", "lanes", "chunk", "token_lanes", "batch", "clock_mhz", "depths")
"""Attributes that are handed to `partition`."""
EMULATED = {"target": "sw_emu"}
"""Only the emulator has a timed network, whatever is built for."""


@dataclass(frozen=True, kw_only=True)
class LlmAccelerator:
    """A project's description of its model.

    `srcs` and `merge_lora` are those of torch_trace; `weights`, `group` and `seed` those of model_weights;
    `prompts`, `token_prompts` and `new_tokens` those of smoke_run; `system` is the message that conversations
    begin with. `formats` is a file that `stbuild run PROJECT:formats` proposes. `depths` and the sizes are
    those of partition; sizes of 0 are those of the platform.
    """

    model: str
    srcs: tuple[str, ...] = ()
    context: int = 2048
    merge_lora: bool = False
    weights: str | None = None
    group: int = 128
    seed: int = 0
    formats: str | None = None
    system: str = ""
    prompts: tuple[str, ...] = ()
    token_prompts: tuple[str, ...] = ()
    new_tokens: int = 16
    channels: int = 0
    lanes: int = 0
    chunk: int = 0
    token_lanes: int = 0
    batch: int = 0
    clock_mhz: int = 0
    depths: dict[str, int] | None = None


@macro(default="deploy")
def llm_accelerator(name: str, attrs: LlmAccelerator) -> list[Entry]:
    """Declare every step of the chain as a target."""
    sizes = {name: getattr(attrs, name) for name in SIZES}
    smoke = {
        "prompts": list(attrs.prompts),
        "token_prompts": list(attrs.token_prompts),
        "new_tokens": attrs.new_tokens,
    }
    code = {"model": attrs.model, "srcs": list(attrs.srcs)}
    checkpoint = {"weights": attrs.weights, "group": attrs.group, "seed": attrs.seed}
    return [
        {
            "torch_trace": {
                "name": "trace",
                **code,
                "context": attrs.context,
                "formats": attrs.formats,
                "merge_lora": attrs.merge_lora,
            }
        },
        {"model_weights": {"name": "weights", "trace": ":trace", **checkpoint}},
        {"partition": {"name": "partition", "trace": ":trace", "weights": ":weights", **sizes}},
        {"resource_table": {"name": "resources", "partition": ":partition"}},
        {"hls_generate": {"name": "hls", "partition": ":partition"}},
        {"vpp_compile": {"name": "kernels", "hls": ":hls"}},
        {"vpp_link": {"name": "link", "kernels": ":kernels"}},
        {"xclbin_package": {"name": "xclbin", "link": ":link", "system": attrs.system}},
        {"smoke_run": {"name": "smoke", "bundle": ":xclbin", **smoke}},
        {"reference": {"name": "reference", "smoke": ":smoke"}},
        {"float_check": {"name": "check", "trace": ":trace", "weights": ":weights"}},
        {"format_proposal": {"name": "formats", "trace": ":trace", "weights": ":weights"}},
        {"deploy": {"name": "deploy", "reference": ":reference", "check": ":check"}},
        {"vpp_compile": {"name": "timed_kernels", "hls": ":hls", "defines": list(TIMED), **EMULATED}},
        {"vpp_link": {"name": "timed_link", "kernels": ":timed_kernels", "defines": list(TIMED), **EMULATED}},
        {"cycle_estimate": {"name": "cycles", "bundle": ":xclbin", "link": ":timed_link"}},
    ]
