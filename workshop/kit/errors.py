"""The one error that a user is meant to read."""


def one_line(text: object) -> str:
    """Returns a text as one line for the terminal, whatever a library, a file's name or a cell of a table put into it.

    What would steer the terminal becomes "?".
    """
    line = " ".join(str(text).split())
    return "".join(character if character.isprintable() else "?" for character in line)


class WorkshopError(Exception):
    """Something the user gave, or the machine has, is not usable.

    The message is one line: what was received, what is accepted, what to do. `cli.run` prints it on stderr and ends
    the program with exit code 2; nothing else is shown.
    """

    def __init__(self, message: object) -> None:
        super().__init__(one_line(message))
