"""What a person can put right: told in one line, never as a traceback."""


class StartError(Exception):
    """The message says what is wrong and what to do; `lines` has one for each thing that is wrong."""

    def __init__(self, *lines: str) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines
