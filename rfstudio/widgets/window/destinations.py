"""Where "Go to anything" leads: layers by their full paths, operations, commands, presets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple, cast

from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu, QMenuBar

from rfstudio.app.editing.new_items import kinds
from rfstudio.app.files.presets import preset_families, preset_sentence
from rfstudio.app.studio import Studio


class Destination(NamedTuple):
    """One line of the list.

    Attributes
    ----------
    kind
        "layer", "command", "switch", "add" or "preset".
    text
        What it is called.
    detail
        What else is shown: keys, sizes, a sentence.
    words
        What a search finds, in lower case.
    go
        Goes there.
    """

    kind: str
    text: str
    detail: str
    words: str
    go: Callable[[], object]


KINDS = ("layer", "command", "switch", "add", "preset")
"""All kinds, in the order of the list."""


def matching(destinations: list[Destination], words: str) -> list[Destination]:
    """Return what has all words, the best first.

    The whole name is best, then its end, as of a path, then its beginning, then any part of it;
    last comes what only has the words beside its name.
    """
    wanted = words.lower().split()
    whole = " ".join(wanted)

    def rank(x: Destination) -> tuple[int, int]:
        name = x.text.lower()
        found = (
            name == whole,
            name.endswith(f".{whole}"),
            name.startswith(whole),
            all(word in name for word in wanted),
            True,
        )
        return found.index(True), KINDS.index(x.kind)

    found = [x for x in destinations if all(word in x.words for word in wanted)]
    return sorted(found, key=rank) if wanted else found


def commands_of(bar: QMenuBar) -> list[Destination]:
    """Return all enabled actions of the menus, but for those that list presets."""
    return [x for action in bar.actions() for x in _commands(action, "")]


def _commands(action: QAction, above: str) -> Iterator[Destination]:
    text = action.text().replace("&", "").replace("…", "")
    # QAction.menu() would hand the menu to Python, which deletes it when this name goes.
    menu = cast("QMenu | None", QMenu.menuInAction(action))
    if menu is not None:
        menu.aboutToShow.emit()  # menus that are filled when they open
        for inner in menu.actions():
            yield from _commands(inner, f"{above}{text} › ")
    elif text and action.isEnabled():
        title = f"{above}{text}"
        keys = action.shortcut().toString()
        words = f"{title} {action.toolTip()}".lower()
        yield Destination("command", title, keys, words, action.trigger)


def switches_of(actions: list[QAction]) -> list[Destination]:
    """Return what is switched on the canvas."""
    return [
        Destination(
            "switch",
            f"{'Hide' if x.isChecked() else 'Show'}: {x.text()}",
            x.shortcut().toString(),
            f"canvas show hide {x.text()}".lower(),
            x.toggle,
        )
        for x in actions
        if x.isEnabled()
    ]


def layers_of(studio: Studio) -> list[Destination]:
    """Return all layers and containers by their full paths, copies of repeats included."""
    analysis, select = studio.analysis.analysis, studio.selection.select_layer
    found = []
    for path, index in analysis.graph.paths.items():
        node = analysis.graph.nodes[index]
        keyword = "" if node.op is None else node.op.keyword
        size = "×".join(map(str, node.size))
        found.append(
            Destination(
                "layer",
                path,
                f"{keyword}  {size}".strip(),
                f"{path} {keyword}".lower(),
                partial(select, path),
            )
        )
    return found


def additions(add: Callable[[str], object]) -> list[Destination]:
    """Return everything that can be added, with the names that it has elsewhere."""
    return [
        Destination(
            "add",
            f"Add {x.keyword}",
            x.title,
            f"add insert {x.keyword} {x.title} {' '.join(x.others)}".lower(),
            partial(add, x.keyword),
        )
        for x in kinds()
    ]


def presets_of(open_preset: Callable[[str], object]) -> list[Destination]:
    """Return all presets with their sentences."""
    return [
        Destination(
            "preset",
            name,
            sentence,
            f"preset {name} {sentence} {family}".lower(),
            partial(open_preset, name),
        )
        for family, names in preset_families()
        for name in names
        for sentence in (preset_sentence(name),)
    ]
