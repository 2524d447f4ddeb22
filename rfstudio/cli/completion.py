"""Completion for shells, as scripts that know every command, option, choice and preset.

Nothing runs when Tab is pressed: a script is written once, from the parsers themselves.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import NamedTuple

from rfstudio import paths


class Option(NamedTuple):
    """One option of a command.

    Attributes
    ----------
    names
        Its spellings, such as ``-o`` and ``--output``.
    choices
        The words that may follow; empty: any, or none.
    takes_value
        Whether something follows.
    takes_file
        Whether that is the path of a file.
    text
        What it is, in a line.
    """

    names: tuple[str, ...]
    choices: tuple[str, ...]
    takes_value: bool
    takes_file: bool
    text: str


class Command(NamedTuple):
    """One command: what it is, what its arguments are, and its options."""

    text: str
    words: tuple[str, ...]
    options: tuple[Option, ...]


Commands = Mapping[str, Command]
"""All commands by their words; the window's is the empty word."""


def script(shell: str, parsers: Mapping[str, argparse.ArgumentParser]) -> str:
    """Return the script for one of `rfstudio.cli.words.SHELLS`.

    Parameters
    ----------
    shell
        Which.
    parsers
        That of each command by its word; that of the window by the empty word.
    """
    presets = tuple(sorted(x.stem for x in paths.architectures().glob("*.yaml")))
    commands = {word: _command(parser, presets) for word, parser in parsers.items()}
    return {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell](commands)


def _command(parser: argparse.ArgumentParser, presets: tuple[str, ...]) -> Command:
    options: list[Option] = []
    words: tuple[str, ...] = ()
    # argparse has no other way to list what a parser accepts.
    for action in parser._actions:  # noqa: SLF001
        if action.option_strings:
            kind = str(action.metavar or "")
            options.append(
                Option(
                    tuple(action.option_strings),
                    tuple(map(str, action.choices or ())),
                    action.nargs != 0,
                    "FILE" in kind,
                    _line(action.help or ""),
                )
            )
        elif action.metavar == "NETWORK":
            words = presets
        elif action.choices:
            words = tuple(map(str, action.choices))
    return Command(_line(parser.description or ""), words, tuple(options))


def _line(text: str) -> str:
    """Return the first sentence of a text, without what shells might take for their own."""
    first = " ".join(text.split()).partition(". ")[0].partition("; ")[0].rstrip(".")
    return "".join(x for x in first if x not in "'\"`$\\[]:(){}")


def _named(commands: Commands) -> list[str]:
    return [x for x in commands if x]


def _bash(commands: Commands) -> str:
    after, options, words = [], [], []
    for word, command in commands.items():
        for option in command.options:
            keys = "|".join(f'"{word} {name}"' for name in option.names)
            if option.choices:
                after.append(f'        {keys}) words="{" ".join(option.choices)}" ;;')
            elif option.takes_value:
                after.append(f"        {keys}) return ;;")
        names = " ".join(x for option in command.options for x in option.names)
        options.append(f'        "{word}") words="{names}" ;;')
        words.append(f'        "{word}") words="{" ".join(command.words)}" ;;')
    newline = "\n"
    return f"""\
# Completion of rfstudio for bash.
_rfstudio() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}} command= words=
    if ((COMP_CWORD > 1)); then
        case ${{COMP_WORDS[1]}} in {"|".join(_named(commands))}) command=${{COMP_WORDS[1]}} ;; esac
    fi
    COMPREPLY=()
    case "$command $before" in
{newline.join(after)}
        *) if [[ $current == -* ]]; then
            case $command in
{newline.join("    " + x for x in options)}
            esac
        else
            case $command in
{newline.join("    " + x for x in words)}
            esac
            ((COMP_CWORD == 1)) && words+=" {" ".join(_named(commands))}"
        fi ;;
    esac
    # Where no word fits, bash goes on with the names of files.
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}}
complete -o default -F _rfstudio rfstudio
"""


def _zsh(commands: Commands) -> str:
    cases = []
    for word, command in commands.items():
        specs = [_zsh_option(x) for x in command.options]
        kinds = f"_alternative 'words:word:({' '.join(command.words)})' 'files:file:_files'"
        specs.append(f"'*: :{{{kinds.replace(chr(39), chr(34))}}}'")
        lines = " \\\n            ".join(specs)
        cases.append(f"        '{word}') _arguments -s \\\n            {lines} ;;")
    named = " ".join(f"'{x}:{commands[x].text}'" for x in _named(commands))
    newline = "\n"
    return f"""\
#compdef rfstudio
# Completion of rfstudio for zsh.
_rfstudio() {{
    local -a commands=({named})
    local command=
    if ((CURRENT == 2)) && [[ $words[2] != -* ]]; then
        _describe command commands
    fi
    if ((CURRENT > 2)) && [[ " {" ".join(_named(commands))} " == *" $words[2] "* ]]; then
        command=$words[2]
        shift words
        ((CURRENT -= 1))
    fi
    case $command in
{newline.join(cases)}
    esac
}}
compdef _rfstudio rfstudio
"""


def _zsh_option(option: Option) -> str:
    if option.choices:
        value = f":value:({' '.join(option.choices)})"
    elif option.takes_file:
        value = ":file:_files"
    else:
        value = ":value: " if option.takes_value else ""
    return " ".join(f"'{name}[{option.text}]{value}'" for name in option.names)


def _fish(commands: Commands) -> str:
    named = " ".join(_named(commands))
    lines = ["# Completion of rfstudio for fish."]
    for word, command in commands.items():
        seen = f"__fish_seen_subcommand_from {word}" if word else "__fish_use_subcommand"
        if not word:
            seen = f"not __fish_seen_subcommand_from {named}"
        if command.words:
            lines.append(f"complete -c rfstudio -n '{seen}' -a '{' '.join(command.words)}'")
        for option in command.options:
            spelt = " ".join(
                f"-l {x[2:]}" if x.startswith("--") else f"-s {x[1:]}" for x in option.names
            )
            value = f" -x -a '{' '.join(option.choices)}'" if option.choices else ""
            if not option.choices and option.takes_value:
                value = " -r" if option.takes_file else " -x"
            lines.append(f"complete -c rfstudio -n '{seen}' {spelt}{value} -d '{option.text}'")
    first = f"not __fish_seen_subcommand_from {named}"
    lines += [
        f"complete -c rfstudio -n '{first}' -a '{x}' -d '{commands[x].text}'"
        for x in _named(commands)
    ]
    return "\n".join(lines) + "\n"
