"""The nightly.yaml that `stbuild init --nightly` writes."""

from collections.abc import Sequence

_TEXT = """# What `stbuild nightly` builds and measures; docs/nightly.md explains each key.
matrix:  # every combination of an entry's lists
  - project: [{projects}]
    platform: [{platform}]
    target: [sw_emu]
    device: [native]

measure:
  prompt_tokens: [16, 64]  # lengths of the prompts
  new_tokens: 16           # behind each of them
  repeats: 5

# limits:  # changes against earlier nights are found without them
#   tokens_per_s@64: {{min: 30}}
#   top1: {{min: 0.9}}  # of a project with `:accuracy`
"""


def example_plan(projects: Sequence[str], platform: str) -> str:
    """A plan that measures these projects on an emulated card."""
    return _TEXT.format(projects=", ".join(projects), platform=platform)
