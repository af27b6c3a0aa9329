"""The command behind the rule `datasheet`: parameters and notes in, a page of text out."""

import argparse
import json
import sys
from pathlib import Path


def main() -> int:
    """Write the page; 1 with a sentence when a note is not text."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--params", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("notes", type=Path, nargs="*")
    options = parser.parse_args()
    params = json.loads(options.params.read_text())
    lines = [params["title"], *(f"{name}: {value}" for name, value in params["figures"].items())]
    for note in options.notes:
        try:
            lines += ["", note.read_text().strip()]
        except UnicodeDecodeError:
            print(f"error: {note} is not text", file=sys.stderr)
            return 1
    options.out.write_text("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
