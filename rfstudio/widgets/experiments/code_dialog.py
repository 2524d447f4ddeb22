"""The dialog that shows the code that a recipe runs to make its models, before it runs."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QPlainTextEdit,
    QVBoxLayout,
    QWidget,
)

from rfstudio.app.files.importing import not_found, preview
from rfstudio.importing.reference import Reference
from rfstudio.widgets.parts.passing import passing
from rfstudio.widgets.parts.text_room import fixed_font, give_room
from rfstudio.widgets.parts.words import Words


class CodeDialog(QDialog):
    """Asks whether code may run; Cancel is what Return presses.

    Parameters
    ----------
    recipe
        What names the code, in words.
    code
        What it names.
    """

    def __init__(
        self, recipe: str, code: Sequence[Reference], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Run code of a recipe")
        found = [(x, preview(x)) for x in code]
        self.what = Words()
        self.what.setAccessibleName("What will happen")
        self.code = QPlainTextEdit()
        self.code.setReadOnly(True)
        self.code.setAccessibleName("Code that will run")
        self.code.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.code.setFont(fixed_font())
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.run = self.buttons.addButton("Run this code", QDialogButtonBox.ButtonRole.AcceptRole)
        self.run.setAutoDefault(False)
        self.buttons.button(QDialogButtonBox.StandardButton.Cancel).setDefault(True)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        missing = [not_found(x) for x, y in found if y.path is None]
        if missing:
            self.what.setText(" ".join(missing))
        else:
            doing = "; ".join(x.what_would_run().removeprefix("this would ") for x in code)
            self.what.setText(
                f"To make its models, {recipe} would {doing}, with all your rights. Agree only if "
                "you trust the code and all that it imports. It begins like this:"
            )
        self.run.setEnabled(not missing)
        texts = [f"# {y.path}\n\n{y.text}" for _, y in found if y.path is not None]
        self.code.setPlainText("\n\n".join(texts))
        layout = QVBoxLayout(self)
        layout.addWidget(self.what)
        layout.addWidget(self.code, 1)
        layout.addWidget(self.buttons)
        give_room(self, 720, 480)


class CodeQuestions:
    """Asks whether code may run; tests use another object with this method."""

    def may_run(self, parent: QWidget, recipe: str, code: Sequence[Reference]) -> bool:
        """Ask in a dialog."""
        with passing(CodeDialog(recipe, code, parent)) as dialog:
            return bool(dialog.exec())
