"""Makes each notebook from its source: `NAME.py`, in jupytext's percent format, gives `NAME.ipynb`, without outputs.

    python notebooks/make.py            # all of them
    python notebooks/make.py --check    # changes nothing; ends with 1 where a notebook and its source differ

The badges and the first cells name the repository on GitHub; `python notebooks/make.py --address OWNER/REPOSITORY` puts
another into all sources, and into README.md.
"""

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import jupytext
import nbformat

FOLDER = Path(__file__).resolve().parent
ADDRESS = re.compile(r"(//github\.com/|google\.com/github/)[\w.-]+/[\w.-]+")


def sources() -> list[Path]:
    """Returns the notebooks' sources, in teaching order."""
    return sorted(FOLDER.glob("[0-9][0-9]_*.py"))


def make(source: Path) -> str:
    """Returns the notebook of a source, as the text of an .ipynb: valid, without outputs, the same each time."""
    notebook = jupytext.read(source, fmt="py:percent")
    notebook.metadata = nbformat.NotebookNode(
        kernelspec={"display_name": "Python 3", "language": "python", "name": "python3"},
        language_info={"name": "python"},
        colab={"provenance": []},
    )
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number:02}"  # jupytext would draw a random one, and each .ipynb would differ from the last
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    nbformat.validate(notebook)
    return nbformat.writes(notebook) + "\n"


def main(argv: Sequence[str] | None = None) -> int:
    """Writes the notebooks, or compares them with their sources; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; end with 1 where one differs")
    parser.add_argument("--address", metavar="OWNER/REPOSITORY", help="repository that the badges name")
    arguments = parser.parse_args(argv)
    if arguments.address:
        if not re.fullmatch(r"[\w.-]+/[\w.-]+", arguments.address):
            parser.error(f"--address got {arguments.address}, takes OWNER/REPOSITORY")
        for source in [*sources(), FOLDER.parent / "README.md"]:
            source.write_text(ADDRESS.sub(rf"\1{arguments.address}", source.read_text("utf-8")), "utf-8")
    different = 0
    for source in sources():
        target, text = source.with_suffix(".ipynb"), make(source)
        if target.exists() and target.read_text("utf-8") == text:
            continue
        different += 1
        if arguments.check:
            print(f"{target.name} is not what {source.name} makes: python notebooks/make.py")
        else:
            target.write_text(text, "utf-8")
            print(f"{target.name} written")
    return 1 if arguments.check and different else 0


if __name__ == "__main__":
    sys.exit(main())
