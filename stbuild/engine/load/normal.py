"""What a rule says of an action in the one form in which it is kept."""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

from stbuild.engine.graph.action import Policy, Resources


def policy_of(policy: Policy | None, resources: Resources | None) -> Policy:
    """`policy` with `resources`, where they are given."""
    base = policy or Policy()
    return _one(base if resources is None else replace(base, resources=resources))


def items_of(env: Mapping[str, str] | None) -> tuple[tuple[str, str], ...]:
    """An environment in the order of its names."""
    return tuple(sorted((env or {}).items()))


@lru_cache(maxsize=1 << 10)
def _one(policy: Policy) -> Policy:
    """One object for all equal policies, of which a large graph has thousands."""
    return policy
