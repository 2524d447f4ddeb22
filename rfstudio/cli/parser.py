"""A parser of one command's arguments, which names the word that was probably meant."""

from __future__ import annotations

import argparse
import difflib
import re
import shutil
import textwrap
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn

_NEGATIVE = re.compile(r"-\.?\d")

_LONGEST_LINE = 2000
"""Characters of a message that are printed: what it quotes may be a megabyte long."""


_WIDEST = 100
"""Columns of a paragraph in a wide terminal."""

_ROOM_FOR_USAGE = 64
"""Columns from which on the usage has all options."""

_NARROWEST = 24
"""Columns that a meaning has beside the word that it explains, or it comes below."""


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


class ListFormatter(argparse.HelpFormatter):
    """Fits paragraphs, lists and the words of options to the terminal.

    A line that begins with spaces is an entry of a list, with its meaning after two spaces or more;
    in a narrow terminal the meaning comes below it.  The words that an option takes are listed
    after its meaning, where lines can be broken between them.
    """

    def add_usage(
        self,
        usage: str | None,
        actions: Iterable[argparse.Action],
        groups: Iterable[Any],
        prefix: str | None = None,
    ) -> None:
        """Add the usage; in a narrow terminal without the options, which are listed below."""
        columns = shutil.get_terminal_size().columns
        if usage is None and columns < _ROOM_FOR_USAGE:
            actions = [x for x in actions if not x.option_strings]
            words = self._format_usage(None, actions, [], "").strip()
            words = words.replace(self._prog, f"{self._prog} [OPTION …]", 1)
            lines = textwrap.wrap(words, columns - len("usage: "), subsequent_indent="    ")
            usage = "\n".join(lines).replace("%", "%%")
        super().add_usage(usage, actions, groups, prefix)

    def _metavar_formatter(
        self, action: argparse.Action, default_metavar: str | None
    ) -> Callable[[int], tuple[str, ...]]:
        metavar = action.metavar or (default_metavar or "").upper().replace("_", "-")
        return lambda size: metavar if isinstance(metavar, tuple) else (metavar,) * size

    def _expand_help(self, action: argparse.Action) -> str:
        text = super()._expand_help(action)
        return f"{text}; one of {', '.join(map(str, action.choices))}" if action.choices else text

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        del indent
        width = min(width, _WIDEST)
        lines: list[str] = []
        for block in text.strip().split("\n\n"):
            parts = block.split("\n")
            if lines:
                lines.append("")
            if not any(x.startswith(" ") for x in parts):
                lines += textwrap.wrap(" ".join(parts), width, break_on_hyphens=False)
                continue
            for part in parts:
                lines += [part] if len(part) <= width else _broken(part, width)
        return "\n".join(lines)


def _broken(entry: str, width: int) -> list[str]:
    """Return an entry of a list in several lines."""
    found = re.fullmatch(r"( +\S.*?  +)(\S.*)", entry)
    name, meaning = (entry, "") if found is None else found.groups()
    column = len(name)
    if meaning and width - column >= _NARROWEST:
        return textwrap.wrap(meaning, width, initial_indent=name, subsequent_indent=" " * column)
    lines = textwrap.wrap(name.strip(), width, initial_indent="  ", subsequent_indent="    ")
    indent = " " * 6
    return lines + textwrap.wrap(meaning, width, initial_indent=indent, subsequent_indent=indent)


class CommandParser(argparse.ArgumentParser):
    """Takes options by their whole names, and refuses an unknown one before anything else.

    argparse by itself reports at first what a mistyped option makes wrong of the other arguments.
    """

    def __init__(self, **settings: Any) -> None:
        settings = {"formatter_class": ListFormatter} | settings
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
