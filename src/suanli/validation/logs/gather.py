"""A JSON object printed over several lines of a log, put together again."""

from __future__ import annotations

MOST_CHARACTERS = 2**22
"""A printed configuration is never longer; what is was cut, and the log went on."""


class Gathered:
    """Gathers lines from an opening brace to the one that closes it, braces in texts left aside."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.depth = 0
        self.size = 0

    @property
    def open(self) -> bool:
        """Say whether an object is open."""
        return self.depth > 0

    def add(self, text: str) -> str | None:
        """Take a line; return the whole object where it ends there."""
        end = self._end(text)
        self.parts.append(text if end is None else text[:end])
        self.size += len(text)
        if end is not None:
            said = "\n".join(self.parts)
            self.drop()
            return said
        if self.size > MOST_CHARACTERS:
            self.drop()
        return None

    def drop(self) -> None:
        """Forget an object that was cut."""
        self.parts, self.depth, self.size = [], 0, 0

    def _end(self, text: str) -> int | None:
        """Follow the braces of a line; return where the object ends."""
        quote, skip = "", False
        for place, letter in enumerate(text):
            if skip:
                skip = False
            elif quote:
                if letter == "\\":
                    skip = True
                elif letter == quote:
                    quote = ""
            elif letter in "\"'":
                quote = letter
            elif letter == "{":
                self.depth += 1
            elif letter == "}":
                self.depth -= 1
                if self.depth == 0:
                    return place + 1
        return None
