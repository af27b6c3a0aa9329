"""Holds the events of builds against their schema."""

import json
from typing import Any

import jsonschema

from tests.conftest import CHECKOUT

SCHEMA = json.loads((CHECKOUT / "docs/events.schema.json").read_text())


def check_events(events: list[dict[str, Any]]) -> set[str]:
    """Hold events against the schema; their kinds."""
    validator = jsonschema.Draft202012Validator(SCHEMA)
    for event in events:
        name = event["event"]
        problems = [str(each.message) for each in validator.evolve(schema=_only(name)).iter_errors(event)]
        assert not problems, (event, problems)
    return {event["event"] for event in events}


def _only(kind: str) -> dict[str, Any]:
    """The schema of one kind, whose errors can be read."""
    return {"$ref": f"#/$defs/{kind}", "$defs": SCHEMA["$defs"]}
