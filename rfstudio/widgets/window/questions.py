"""All questions that the window asks in dialogs, so that tests can answer instead."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from PySide6.QtWidgets import QFileDialog, QMessageBox, QWidget

from rfstudio.app.files.figure_settings import FigureSettings
from rfstudio.app.files.recovery import LeftOver
from rfstudio.app.files.writing import is_taken
from rfstudio.app.wording.texts import short_name
from rfstudio.importing.request import ImportRequest
from rfstudio.widgets.parts.passing import passing
from rfstudio.widgets.window.figure_dialog import FigureDialog, FigureWorkshop
from rfstudio.widgets.window.model_dialog import ModelDialog, SizeDialog
from rfstudio.widgets.window.notice_dialog import NoticeDialog
from rfstudio.widgets.window.recover_dialog import Decision, RecoverDialog

_MOST = 36
"""Characters of a name for which a message box has room: it breaks no word."""

Answer = Literal["save", "discard", "cancel"]


def of_kind(path: Path, suggestion: Path, kind: str) -> Path:
    """Return a path with the ending of the chosen kind, unless another ending was typed.

    Parameters
    ----------
    path
        What was chosen.
    suggestion
        What was suggested: its ending was not typed.
    kind
        The chosen line of kinds: ``PyTorch source (*.py)``.
    """
    endings = re.findall(r"\*(\.\w+)", kind)
    if not path.suffix and not endings:
        return path.with_suffix(suggestion.suffix)
    if endings and path.suffix in ("", suggestion.suffix) and path.suffix not in endings:
        return path.with_suffix(endings[0])
    return path


def _answer(
    parent: QWidget,
    text: str,
    more: str,
    buttons: QMessageBox.StandardButton,
    usual: QMessageBox.StandardButton,
) -> int:
    """Warn before something happens, and return the button that was pressed."""
    with passing(QMessageBox(parent)) as box:
        box.setIcon(QMessageBox.Icon.Warning)
        box.setText(text)
        box.setInformativeText(more)
        box.setStandardButtons(buttons)
        box.setDefaultButton(usual)
        return box.exec()


class Questions:
    """Asks in dialogs; tests give the window another object with the same methods."""

    def save_changes(self, parent: QWidget, name: str) -> Answer:
        """Ask what to do with unsaved changes."""
        button = QMessageBox.StandardButton
        answer = _answer(
            parent,
            f"Save the changes to “{short_name(name, _MOST)}”?",
            "Otherwise they are lost.",
            button.Save | button.Discard | button.Cancel,
            button.Save,
        )
        answers: dict[int, Answer] = {button.Save.value: "save", button.Discard.value: "discard"}
        return answers.get(answer, "cancel")

    def path_to_open(self, parent: QWidget, title: str, folder: Path, kinds: str) -> Path | None:
        """Ask for a file to read."""
        name, _ = QFileDialog.getOpenFileName(parent, title, str(folder), kinds)
        return Path(name) if name else None

    def path_to_save(
        self, parent: QWidget, title: str, suggestion: Path, kinds: str
    ) -> Path | None:
        """Ask for a file to write, and for permission to replace an existing one."""
        name, kind = QFileDialog.getSaveFileName(parent, title, str(suggestion), kinds)
        if not name:
            return None
        path = of_kind(Path(name), suggestion, kind)
        # Qt has asked about the name that was typed.
        if path != Path(name) and is_taken(path) and not self._may_replace(parent, path):
            return None
        return path

    def _may_replace(self, parent: QWidget, path: Path) -> bool:
        button = QMessageBox.StandardButton
        answer = QMessageBox.question(
            parent,
            "Replace",
            f"“{short_name(path.name, _MOST)}” exists. Replace it?",
            button.Yes | button.No,
            button.No,
        )
        return answer == button.Yes

    def may_overwrite(self, parent: QWidget, name: str) -> bool:
        """Ask whether to write over a file that another program has changed meanwhile."""
        button = QMessageBox.StandardButton
        answer = _answer(
            parent,
            f"“{short_name(name, _MOST)}” has changed on disk since it was opened or saved here.",
            "Saving overwrites what another program wrote there.",
            button.Save | button.Cancel,
            button.Cancel,
        )
        return bool(answer == button.Save)

    def figure(
        self, parent: QWidget, chosen: FigureSettings, workshop: FigureWorkshop | None = None
    ) -> FigureSettings | None:
        """Ask what a figure should show and how, starting from the last answer."""
        with passing(FigureDialog(chosen, parent, workshop)) as dialog:
            return dialog.chosen if dialog.exec() else None

    def model(
        self, parent: QWidget, text: str, size: tuple[int, ...] | None
    ) -> ImportRequest | None:
        """Ask which Python code makes a model, and whether that code may run."""
        with passing(ModelDialog(text, parent, size)) as dialog:
            return dialog.request if dialog.exec() else None

    def image_size(self, parent: QWidget, text: str) -> tuple[int, ...] | None:
        """Ask for the size of the image that a model is imported for."""
        with passing(SizeDialog(text, parent)) as dialog:
            return dialog.size_of_image if dialog.exec() else None

    def recover(self, parent: QWidget, left: Sequence[LeftOver]) -> Decision | None:
        """Ask what to do with networks that were not saved when the program ended."""
        with passing(RecoverDialog(left, parent)) as dialog:
            dialog.exec()
            return dialog.decision

    def tell(self, parent: QWidget, text: str) -> None:
        """Show a message that is not an error."""
        with passing(NoticeDialog(parent, text, is_trouble=False)) as dialog:
            dialog.exec()

    def report(self, parent: QWidget, text: str, detail: str = "") -> None:
        """Show why something did not work."""
        with passing(NoticeDialog(parent, text, detail)) as dialog:
            dialog.exec()
