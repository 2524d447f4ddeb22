"""Where "Go to anything" leads: layers by their full paths, operations, commands, presets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple, cast

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu, QMenuBar, QTabWidget, QWidget

from rfstudio.app.editing.new_items import Kind, in_one_word, kinds
from rfstudio.app.files.presets import preset_families, preset_sentence
from rfstudio.app.studio import Studio
from rfstudio.widgets.inspector.fold import Fold


class Destination(NamedTuple):
    """One line of the list.

    Attributes
    ----------
    kind
        One of `KINDS`.
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


KINDS = ("layer", "panel", "command", "field", "switch", "add", "preset", "term")
"""All kinds, in the order of the list."""


_ALSO = {
    "Dark": "dark mode theme night",
    "Light": "light mode theme day",
    "Like the system": "theme mode",
    "Copy picture": "screenshot clipboard",
    "Keys": "keyboard shortcuts hotkeys",
    "Documentation": "glossary manual tutorial formulas help questions",
    "Open model": "onnx torch pt2 import",
    "Save session as": "workspace project pins",
    "Open session": "workspace project restore pins",
    "Undo": "history back",
    "Redo": "history forward",
    "Cancel": "stop measuring",
    "Pin this unit": "compare with",
    "Pin the network before my edit": "compare with",
    "Lessons": "tour learn",
    "Fit the field": "zoom whole 0",
    "Image": "photo picture audio signal wav",
    "Fields relative to this layer": "reference relative origin",
    "Fields relative to the input": "reference relative origin",
}
"""What people type for some commands, or for what is in their menus, by their names."""

_PANELS = {
    "Table": "all layers list parameters macs sort",
    "Growth": "chart depth compare networks effective sizes",
    "Profile": "section gaussian sigma curve chart",
    "Graph": "diagram dag network energy branches skips",
    "Measure": "options seed samples estimator weights torch run",
    "Results": "shelf measurements history",
    "Numbers": "metrics of the effective field sigma area ratio",
    "Compare": "pins difference table before after",
    "Problems": "warnings remarks notes diagnostics errors",
    "Lesson": "learn exercise tour",
}
"""What the panels hold, by their titles."""


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
    """Return all actions of the menus, those that are not possible now as such."""
    return [x for action in bar.actions() for x in _commands(action, "")]


def _commands(action: QAction, above: str) -> Iterator[Destination]:
    text = action.text().replace("&", "").replace("…", "")
    # QAction.menu() would hand the menu to Python, which deletes it when this name goes.
    menu = cast("QMenu | None", QMenu.menuInAction(action))
    if menu is not None:
        menu.aboutToShow.emit()  # menus that are filled when they open
        for inner in menu.actions():
            yield from _commands(inner, f"{above}{text} › ")
    elif text and not action.isSeparator():
        title = f"{above}{text}"
        detail = action.shortcut().toString() if action.isEnabled() else "not possible now"
        also = " ".join(_ALSO.get(part, "") for part in (text, *above.split(" › ")))
        words = f"{title} {action.toolTip()} {also}".lower()
        yield Destination("command", title, detail, words, action.trigger)


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


def panels_of(tabs: QTabWidget, show: Callable[[QWidget], object]) -> list[Destination]:
    """Return the panels in tabs, also by what is in them."""
    found = []
    for number in range(tabs.count()):
        panel, title = tabs.widget(number), tabs.tabText(number)
        assert panel is not None
        holds = _PANELS.get(title, "")
        words = f"{title} panel tab show {holds}".lower()
        found.append(Destination("panel", title, holds, words, partial(show, panel)))
    return found


def fields_of(form: QWidget, owner: str, edit: Callable[[QWidget], object]) -> list[Destination]:
    """Return what can be set in a form, by the names that are read out.

    Parameters
    ----------
    form
        Holds the fields.
    owner
        Whose they are: "conv1", or "the measurement".
    edit
        Brings a field into view and into the focus.
    """
    found = []
    for field in form.findChildren(QWidget):
        name = field.accessibleName()
        can_be_set = field.focusPolicy() & Qt.FocusPolicy.TabFocus and field.isEnabled()
        if name and can_be_set and not field.isHidden():
            title = f"{name.removesuffix(' of')} of {owner}"  # as in "weights of"
            words = f"set edit change {title} {field.toolTip()}".lower()
            found.append(Destination("field", title, "", words, partial(edit, field)))
    return found


def folds_of(inspector: QWidget, uncover: Callable[[QWidget], object]) -> list[Destination]:
    """Return the parts of the inspector that can be opened."""

    def show(fold: Fold) -> None:
        uncover(fold)
        fold.button.setChecked(True)
        fold.button.setFocus(Qt.FocusReason.ShortcutFocusReason)

    return [
        Destination(
            "panel",
            fold.button.text(),
            "in the inspector",
            f"{fold.button.text()} {fold.button.toolTip()}".lower(),
            partial(show, fold),
        )
        for fold in inspector.findChildren(Fold)
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
            _words_of(x),
            partial(add, x.keyword),
        )
        for x in kinds()
    ]


def _words_of(kind: Kind) -> str:
    """Return by what a kind is found, also in one word and as a class: PixelShuffle, MaxPool2d."""
    names = (kind.keyword, kind.title, *kind.others)
    classes = (f"{in_one_word(kind.keyword)}{axes}d" for axes in (1, 2, 3))
    return " ".join(("add insert", *names, *map(in_one_word, names), *classes)).lower()


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
