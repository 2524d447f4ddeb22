"""A parser of one command's arguments, which names the word that was probably meant."""

from __future__ import annotations

import argparse
import difflib
import re
from collections.abc import Sequence
from typing import Any, NoReturn

_NEGATIVE = re.compile(r"-\.?\d")

_LONGEST_LINE = 2000
"""Characters of a message that are printed: what it quotes may be a megabyte long."""


def fit_to_print(line: str) -> str:
    """Return a line of a message without its middle if it is very long.

    Text from a file or an argument, such as the name of a layer, must not control the terminal:
    what cannot be printed is shown as Python writes it.
    """
    from rfstudio.core.errors import shown  # late: help does without

    if len(line) > _LONGEST_LINE:
        half = _LONGEST_LINE // 2
        line = f"{line[:half]} … {line[-half:]}"
    return shown(line, len(line))


class CommandParser(argparse.ArgumentParser):
    """Takes options by their whole names, and refuses an unknown one before anything else.

    argparse by itself reports at first what a mistyped option makes wrong of the other arguments.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(allow_abbrev=False, **settings)

    def error(self, message: str) -> NoReturn:
        """Exit with the usage and a message, whatever it quotes."""
        super().error(fit_to_print(message))

    def parse(self, words: Sequence[str]) -> argparse.Namespace:
        """Return the arguments; print usage and the mistake, and exit, if they are wrong."""
        self._refuse_unknown_options(words)
        arguments, rest = self.parse_known_args(words)
        if rest:
            self.error(f"unexpected: {' '.join(rest)}")
        return arguments

    def _refuse_unknown_options(self, words: Sequence[str]) -> None:
        known = self._option_string_actions
        for word in words:
            if word == "--":
                return
            name = word.partition("=")[0]
            is_option = len(word) > 1 and word.startswith("-") and not _NEGATIVE.match(word)
            # A short option may be joined with its value, and a text with a space is no option.
            is_joined = not word.startswith("--") and word[:2] in known
            if is_option and name not in known and not is_joined and " " not in word:
                self.refuse("option", name, known)

    def refuse(self, what: str, word: str, known: Sequence[str] | dict[str, Any]) -> NoReturn:
        """Exit with a message that there is no such word, naming the nearest one."""
        options = [x for x in known if x.startswith("--")] or list(known)
        near = difflib.get_close_matches(word, options, n=1) or [
            x for x in options if len(word) > 3 and x.startswith(word)
        ]
        hint = f"; did you mean '{near[0]}'?" if near else ""
        self.error(f"there is no {what} '{word}'{hint}")
