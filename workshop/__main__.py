"""Neural networks taught in a room: the lessons in teaching order, a check of this machine, old models made readable.

python -m workshop                         # the lessons
python -m workshop doctor                  # is this machine ready for them?
python -m workshop convert OLD.h5 NEW.h5   # a Sequential of Keras 1.2 to 3 as a file that Keras 3 loads
python -m workshop.mnist                   # one lesson
python -m workshop.pytorch.mnist           # the same in PyTorch; in NumPy alone it is workshop.scratch.mnist
"""

import argparse
import difflib
from collections.abc import Sequence
from pathlib import Path

from workshop import LESSONS, __version__
from workshop.kit import cli, files
from workshop.kit.errors import WorkshopError, one_line


def lesson_list() -> str:
    """Returns the lessons, a line each: the name, the time of the default run, the title."""
    width = max(len(lesson.name) for lesson in LESSONS)
    lines = ["The lessons, in teaching order, with the time they take on two CPU cores", ""]
    lines += [f"{lesson.name:{width}}  {lesson.seconds:3} s  {lesson.title}" for lesson in LESSONS]
    first = next(lesson.name for lesson in LESSONS if len(lesson.mirrors) == 2)
    lines += [
        "",
        f"Start one           python -m workshop.{LESSONS[0].name}",
        "                    with --quick for a first look in seconds; --help lists the options",
        f"In PyTorch          python -m workshop.pytorch.{first}",
        f"In NumPy alone      python -m workshop.scratch.{first}",
        "Check this machine  python -m workshop doctor",
    ]
    return "\n".join(lines)


def nearest(command: str) -> str:
    """Returns what a mistyped command was probably meant to be, ready to be typed, or an empty text."""
    commands = {"doctor": "python -m workshop doctor", "convert": "python -m workshop convert"}
    commands |= {lesson.name: f"python -m workshop.{lesson.name}" for lesson in LESSONS}
    # Somebody who knows other programs may type the whole name of the module, or its file.
    typed = command.lower().replace("-", "_").removeprefix("workshop.").removesuffix(".py")
    matches = difflib.get_close_matches(typed, commands, n=1)
    return commands[matches[0]] if matches else ""


def main(argv: Sequence[str] | None = None) -> int:
    """Lists the lessons, or runs `doctor`; returns the exit code."""
    parser = cli.Parser(
        prog="python -m workshop", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", nargs="?", metavar="COMMAND", help="doctor or convert; without one, the lessons")
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="of convert: the old .h5, then the new one")
    parser.add_argument("--version", action="version", version=f"workshop {__version__}")
    arguments, others = parser.parse_known_args(argv)
    command = arguments.command
    if command not in {None, "doctor", "convert"}:
        meant = nearest(command)
        question = f"; did you mean {meant}?" if meant else ""
        parser.error(f"got {command}, takes doctor or convert{question}")
    if others or (command == "doctor" and arguments.files):
        rest = " ".join([*map(str, arguments.files), *others])
        parser.error(f"got {rest}, takes {'two files' if command == 'convert' else 'doctor, convert or nothing'}")
    if command == "convert":
        if len(arguments.files) != 2:
            parser.error(f"got {len(arguments.files)} files, takes two: the old .h5 and the new one")
        convert(*arguments.files)
        return 0
    if command == "doctor":
        from workshop.doctor import run as doctor

        return doctor.main()
    print(lesson_list())
    return 0


def convert(old: Path, new: Path) -> None:
    """Writes the model in `old` as a file that Keras 3 loads.

    Raises:
        WorkshopError: `old` is damaged or not known here, or `new` is there already or cannot be written.
    """
    if new.suffix != ".h5":
        raise WorkshopError(f"{new}: the new file's name must end in .h5")
    if new.exists():
        raise WorkshopError(f"{new} is there already: give the new file another name, nothing is overwritten")
    from workshop.kit.saving import h5

    model = h5.read(old)
    files.write_atomically(new, h5.to_bytes(model))
    layers = ", ".join(layer.kind for layer in model.layers)
    print(f"{one_line(old)}: {layers}; takes samples of shape {model.input_shape}")
    print(f"{one_line(new)}: written for Keras 3, the weights unchanged, without the state of the optimizer")


def start() -> None:
    """Runs `main` for `cli.run`, which takes no answer for a success."""
    status = main()
    if status:
        raise SystemExit(status)


if __name__ == "__main__":
    cli.run(start, stopped="stopped")
