"""Executes a notebook; `python -m tests.docs.notebook` writes that of the documentation anew."""

import os
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

CHECKOUT = Path(__file__).resolve().parents[2]
NOTEBOOK = CHECKOUT / "docs/library.ipynb"
VOLATILE = "volatile"
"""The tag of a cell whose output differs from run to run."""
TIMEOUT_S = 600


def execute(path: Path) -> NotebookNode:
    """The notebook at `path` after a run in a kernel of its own: what its cells print to standard output.

    What a cell raises is raised here.
    """
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(notebook, timeout=TIMEOUT_S, kernel_name="python3")
    client.execute(env={**os.environ, "PYTHONPATH": str(CHECKOUT)})
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # when it ran
        if cell.cell_type == "code":
            shown = [out for out in cell.outputs if out.get("output_type") != "stream"]
            text = printed(cell)
            cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=text)] if text else []
            assert not shown, shown
    return notebook


def printed(cell: NotebookNode) -> str:
    """What a cell has written to standard output."""
    return "".join(out.text for out in cell.get("outputs", ()) if out.get("name") == "stdout")


if __name__ == "__main__":
    nbformat.write(execute(NOTEBOOK), NOTEBOOK)
