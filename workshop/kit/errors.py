"""The one error that a user is meant to read."""


class WorkshopError(Exception):
    """Something the user gave, or the machine has, is not usable.

    The message is one line: what was received, what is accepted, what to do. `cli.run` prints it on stderr and ends
    the program with exit code 2; nothing else is shown.
    """

    def __init__(self, message: object) -> None:
        # One line whatever a library put into its own message, and nothing that steers a terminal: a file's name or a
        # cell of a table may hold anything.
        line = " ".join(str(message).split())
        super().__init__("".join(character if character.isprintable() else "?" for character in line))
