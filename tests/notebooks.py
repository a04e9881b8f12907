"""Executes notebooks as Jupyter would, and keeps the executed copies.

    python tests/notebooks.py FOLDER OUT

Exits with an error if a cell fails, or if one that ends with a picture shows
none.
"""

import pathlib
import sys
import tempfile

import nbclient
import nbformat


def execute(path, out):
    """Executes one notebook in an empty folder."""
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        nbclient.NotebookClient(
            notebook,
            timeout=1800,
            kernel_name="python3",
            resources={"metadata": {"path": folder}},
        ).execute()
    out.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, out / path.name)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            check(cell)
    print(f"{path} ran; see {out / path.name}")


def check(cell):
    """Raises unless a cell that ends with a picture shows one."""
    last = cell.source.strip().splitlines()[-1]
    shown = [key for output in cell.outputs for key in output.get("data", ())]
    if last.startswith("visualization.") and "image/png" not in shown:
        raise ValueError(f"no picture is shown by the cell\n{cell.source}")
    text = "".join(output.get("text", "") for output in cell.outputs)
    # A progress line returns to its beginning, which is no new line.
    if (lines := text.count("\n")) > 60:
        raise ValueError(f"{lines} lines by\n{cell.source}")


if __name__ == "__main__":
    folder, out = map(pathlib.Path, sys.argv[1:])
    for path in sorted(folder.glob("*.ipynb")):
        execute(path, out)
