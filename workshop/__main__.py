"""Neural networks taught in a room: the lessons in teaching order, and a check of this machine.

python -m workshop                # the lessons
python -m workshop doctor         # is this machine ready for them?
python -m workshop.mnist          # one lesson
"""

import argparse
import difflib
from collections.abc import Sequence

from workshop import LESSONS, __version__
from workshop.kit import cli


def lesson_list() -> str:
    """Returns the lessons, a line each: the name, the time of the default run, the title."""
    width = max(len(lesson.name) for lesson in LESSONS)
    lines = ["The lessons, in teaching order, with the time they take on two CPU cores", ""]
    lines += [f"{lesson.name:{width}}  {lesson.seconds:3} s  {lesson.title}" for lesson in LESSONS]
    first = LESSONS[0].name
    lines += [
        "",
        f"Start one           python -m workshop.{first}",
        "                    with --quick for a first look in seconds; --help lists the options",
        "Check this machine  python -m workshop doctor",
    ]
    return "\n".join(lines)


def nearest(command: str) -> str:
    """Returns what a mistyped command was probably meant to be, ready to be typed, or an empty text."""
    commands = {"doctor": "python -m workshop doctor"}
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
    parser.add_argument("command", nargs="?", metavar="doctor", help="check this machine: OK, or what to do")
    parser.add_argument("--version", action="version", version=f"workshop {__version__}")
    arguments, others = parser.parse_known_args(argv)
    if arguments.command not in {None, "doctor"}:
        meant = nearest(arguments.command)
        parser.error(f"got {arguments.command}, takes doctor" + f"; did you mean {meant}?" * bool(meant))
    if others:
        parser.error(f"got {' '.join(others)}, takes doctor or nothing")
    if arguments.command == "doctor":
        from workshop.kit import doctor

        return doctor.main()
    print(lesson_list())
    return 0


def start() -> None:
    """Runs `main` for `cli.run`, which takes no answer for a success."""
    status = main()
    if status:
        raise SystemExit(status)


if __name__ == "__main__":
    cli.run(start, stopped="stopped")
