"""The dialog that asks for a model in Python code, and shows what will run before it runs."""

from __future__ import annotations

import re
from pathlib import Path

from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from rfstudio.app.files.importing import not_found, preview, with_a_name
from rfstudio.importing.reference import Reference, reference_of
from rfstudio.importing.request import ImportRequest
from rfstudio.widgets.parts.text_room import fixed_font, give_room
from rfstudio.widgets.parts.words import Words

_USUAL = (224, 224)
_NO_SIZE = "A size is one to three whole numbers, as in 224 × 224."
_NUMBER = re.compile(r"[1-9]\d{0,5}")


class ModelDialog(QDialog):
    """Asks for `package.module:callable` or `file.py:callable` and the size of the image.

    Parameters
    ----------
    text, size
        What is in the lines at first; None: a usual size.

    Attributes
    ----------
    request
        What is to be imported; None until it is complete.
    """

    def __init__(
        self,
        text: str = "",
        parent: QWidget | None = None,
        size: tuple[int, ...] | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Open model")
        self.request: ImportRequest | None = None
        self.model = QLineEdit(text)
        self.model.setAccessibleName("Model")
        self.model.setPlaceholderText("package.module:callable, or file.py:callable")
        self.browse = QPushButton("File…")
        self.browse.setAutoDefault(False)
        self.image_size = QLineEdit(" × ".join(map(str, size or _USUAL)))
        self.image_size.setAccessibleName("Size of the image")
        self.image_size.setToolTip(
            "Size of the input: height × width in pixels; one number for 1-D"
        )
        self.what = Words()
        self.what.setAccessibleName("What will happen")
        self.code = QPlainTextEdit()
        self.code.setReadOnly(True)
        self.code.setAccessibleName("Code that will run")
        self.code.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.code.setFont(fixed_font())
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.run = self.buttons.addButton(
            "Run this code and import", QDialogButtonBox.ButtonRole.AcceptRole
        )
        self.run.setAutoDefault(False)
        self._lay_out()
        self.buttons.button(QDialogButtonBox.StandardButton.Cancel).setDefault(True)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        self.browse.clicked.connect(self._ask_for_file)
        self.model.textChanged.connect(self._follow)
        self.image_size.textChanged.connect(self._follow)
        self._follow()
        give_room(self, 720, 520)

    def _lay_out(self) -> None:
        line = QHBoxLayout()
        line.addWidget(self.model, 1)
        line.addWidget(self.browse)
        form = QFormLayout()
        form.addRow("Model", line)
        form.addRow("Image", self.image_size)
        layout = QVBoxLayout(self)
        layout.addLayout(form)
        layout.addWidget(self.what)
        layout.addWidget(self.code, 1)
        layout.addWidget(self.buttons)

    def _ask_for_file(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Python file", "", "Python (*.py)")
        if name:
            self.model.setText(with_a_name(Path(name)))
            self.model.setFocus()
            self.model.setSelection(len(name) + 1, len(self.model.text()))

    def _follow(self) -> None:
        """Show what would run; it can run only when the question is complete."""
        reference = reference_of(self.model.text().strip())
        size = size_of(self.image_size.text())
        found = None if reference is None else preview(reference)
        is_there = found is not None and found.path is not None
        self.code.setPlainText(found.text if found else "")
        if reference is None:
            self.what.setText(
                "Name what makes the model: a function or class without arguments, or a module "
                "that is there already, such as torchvision.models:resnet18."
            )
        elif not is_there:
            self.what.setText(not_found(reference))
        elif size is None:
            self.what.setText(_NO_SIZE)
        else:
            assert found is not None
            self.what.setText(_warning(reference, str(found.path)))
        is_complete = reference is not None and is_there and size is not None
        self.request = (
            ImportRequest(reference, size) if reference and size and is_complete else None
        )
        self.run.setEnabled(is_complete)


class SizeDialog(QDialog):
    """Asks for the size of the image that a file of a model does not say.

    Parameters
    ----------
    text
        Why it is asked.

    Attributes
    ----------
    size_of_image
        What is typed; None while it is no size.
    """

    def __init__(self, text: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Open model")
        self.size_of_image: tuple[int, ...] | None = None
        self.why = Words(text)
        self.line = QLineEdit(" × ".join(map(str, _USUAL)))
        self.line.selectAll()
        self.hint = QLabel(wordWrap=True)
        label = QLabel("&Size of the image, height × width in pixels")
        label.setBuddy(self.line)
        self.buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel
        )
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        self.line.textChanged.connect(self._follow)
        column = QVBoxLayout(self)
        for part in (self.why, label, self.line, self.hint, self.buttons):
            column.addWidget(part)
        self._follow()
        give_room(self, 440, 0)
        self.resize(self.width(), column.totalHeightForWidth(self.width()))
        self.line.setFocus()

    def _follow(self) -> None:
        self.size_of_image = size_of(self.line.text())
        is_size = self.size_of_image is not None
        self.hint.setText("One number for 1-D, three for 3-D." if is_size else _NO_SIZE)
        self.buttons.button(QDialogButtonBox.StandardButton.Ok).setEnabled(is_size)


def size_of(text: str) -> tuple[int, ...] | None:
    """Return the size of an image as it is typed, one to three whole numbers; None: it is none."""
    words = [x for x in re.split(r"[\s×x,]+", text.strip()) if x]
    if not 1 <= len(words) <= 3 or not all(_NUMBER.fullmatch(x) for x in words):
        return None
    return tuple(map(int, words))


def _warning(reference: Reference, path: str) -> str:
    verb = "run" if reference.is_file else "import"
    return (
        f"This will {verb} {path} and call {reference.name}, with all your rights. Do it only if "
        "you trust the code and all that it imports. It begins like this:"
    )
