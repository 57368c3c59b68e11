"""Neural networks taught in a room: the lessons in teaching order, their exercises, and what an instructor needs.

python -m workshop                         # the lessons
python -m workshop.mnist                   # one lesson
python -m workshop.pytorch.mnist           # the same in PyTorch; in NumPy alone it is workshop.scratch.mnist
python -m workshop exercises               # the exercises, and which are done
python -m workshop watch                   # the next one, checked each time that you save your file
python -m workshop hint mnist.2            # a hint; solve shows the solution, reset begins anew
python -m workshop progress FOLDER         # the room's table, from the students' files of progress
python -m workshop doctor                  # is this machine ready for the room? One lesson is run to the end
python -m workshop doctor mnist xor        # and do these lessons reach here what they should? all takes half an hour
python -m workshop draw                    # a page: draw a digit, and see what the network sees
python -m workshop pack FOLDER             # all that a room without a network installs and teaches from
python -m workshop convert OLD.h5 NEW.h5   # a model of any Keras as a file that Keras 3 loads; NEW may end in .keras
python -m workshop convert WEIGHTS.h5 NEW.h5 --like MODEL.h5   # weights alone, with the layers of another file
"""

import difflib
import importlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from workshop import LESSONS, __version__
from workshop.kit import cli, files
from workshop.kit.errors import WorkshopError, one_line
from workshop.kit.files import FilePath


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
        "Exercises           python -m workshop watch",
        "Check this machine  python -m workshop doctor",
    ]
    return "\n".join(lines)


def nearest(command: str) -> str:
    """Returns what a mistyped command was probably meant to be, ready to be typed, or an empty text."""
    commands = {name: f"python -m workshop {name}" for name in COMMANDS}
    commands |= {lesson.name: f"python -m workshop.{lesson.name}" for lesson in LESSONS}
    # Somebody who knows other programs may type the whole name of the module, or its file.
    typed = command.lower().replace("-", "_").removeprefix("workshop.").removesuffix(".py")
    matches = difflib.get_close_matches(typed, commands, n=1)
    return commands[matches[0]] if matches else ""


def run_doctor(argv: Sequence[str]) -> int:
    """Checks this machine, and lessons' results on it; returns 1 where there is something to fix."""
    names = [lesson.name for lesson in LESSONS]
    unknown = [name for name in argv if name not in [*names, "all"]]
    if unknown:
        cli.Parser(prog="python -m workshop").error(
            f"got {' '.join(unknown)}, takes doctor alone, doctor all, or lessons behind it: doctor mnist xor"
        )
    from workshop.doctor import run as doctor

    ran = names if "all" in argv else argv
    return doctor.main(ran=ran) if ran else doctor.main()


def run_convert(argv: Sequence[str]) -> int:
    """Writes an old model as a new file."""
    files, like = list(argv), None
    if "--like" in files and files.index("--like") < len(files) - 1:
        like = files.pop(files.index("--like") + 1)
        files.remove("--like")
    if len(files) != 2 or any(name.startswith("-") for name in files):
        given = " ".join(argv) or "no file"
        cli.Parser(prog="python -m workshop").error(
            f"got {given}, takes convert and two files: the old .h5, the new; for weights alone --like MODEL.h5"
        )
    convert(Path(files[0]), Path(files[1]), None if like is None else Path(like))
    return 0


def imported(module: str, name: str) -> Callable[[Sequence[str]], int]:
    """Returns a command, a function of a module that is imported when it runs."""
    return lambda argv: getattr(importlib.import_module(f"workshop.{module}"), name)(argv)


COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {
    "doctor": run_doctor,
    "convert": run_convert,
    "draw": imported("draw.run", "main"),
    "pack": imported("pack.run", "main"),
    "exercises": imported("coach.commands", "list_exercises"),
    "watch": imported("coach.commands", "watch"),
    "hint": imported("coach.commands", "hint"),
    "solve": imported("coach.commands", "solve"),
    "reset": imported("coach.commands", "reset"),
    "progress": imported("coach.commands", "room"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Lists the lessons, or runs one of the commands; returns the exit code."""
    argv = sys.argv[1:] if argv is None else argv
    asks_for_help = bool({"-h", "--help"} & set(argv))
    # doctor and convert have nothing that this help does not say; the others have a help of their own.
    if argv and argv[0] in COMMANDS and not (asks_for_help and argv[0] in ("doctor", "convert")):
        return COMMANDS[argv[0]](argv[1:])
    parser = cli.Parser(prog="python -m workshop", description=__doc__)
    commands = ", ".join(COMMANDS)
    parser.add_argument("command", nargs="?", metavar="COMMAND", help=f"{commands}; without one, the lessons")
    parser.add_argument("--version", action="version", version=f"workshop {__version__}")
    arguments, others = parser.parse_known_args(argv)
    command = arguments.command
    if command is not None:
        meant = nearest(command)
        question = f"; did you mean {meant}?" if meant else ""
        parser.error(f"got {command}, takes {commands}{question}")
    if others:
        parser.error(f"got {' '.join(others)}, takes {commands} or nothing")
    print(lesson_list())
    return 0


def convert(old: FilePath, new: FilePath, like: FilePath | None = None) -> None:
    """Writes the model in `old` as a file that Keras 3 loads.

    Args:
        old: a `.h5` or `.hdf5` of any Keras, or a `.keras`.
        new: the file to write; it ends in .h5, .hdf5 or .keras.
        like: where `old` holds weights alone, a model with these layers.

    Raises:
        WorkshopError: `old` is damaged or not known here, or `new` is there already or cannot be written.
    """
    from workshop.kit.saving import conversion

    new = Path(new)
    if new.suffix not in conversion.ENDINGS:
        raise WorkshopError(f"{new}: the new file's name must end in {', '.join(conversion.ENDINGS[:-1])} or .keras")
    if new.exists():
        raise WorkshopError(f"{new} is there already: give the new file another name, nothing is overwritten")
    converted = conversion.convert(old, new, like)
    files.write_atomically(new, converted.content)
    print(f"{one_line(old)}: {', '.join(converted.layers)}; takes samples of shape {converted.shapes}")
    for note in converted.notes:
        print(f"note: {note}")
    weights = "the weights unchanged, " if not converted.notes else ""
    print(f"{one_line(new)}: written for Keras 3, {weights}without the state of the optimizer")


def start() -> None:
    """Runs `main` for `cli.run`, which takes no answer for a success."""
    status = main()
    if status:
        raise SystemExit(status)


if __name__ == "__main__":
    cli.run(start, stopped="stopped")
