"""From an action graph to results: what must run, when, and in which folder."""
