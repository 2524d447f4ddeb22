"""Editors for parameters, one for each kind: they show a value and announce the user's changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import (
    QCheckBox,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from rfstudio.core.errors import OpError
from rfstudio.core.fields.remarks.diagnostics import AXIS_NAMES
from rfstudio.core.ops import Kind, Parameter, sources_of_text, text_of_sources
from rfstudio.widgets.parts.fields import LARGEST, Choice, Line, Spin


class Editor(QWidget):
    """Shows the value of one parameter.

    Signals
    -------
    value_edited
        The value that the user wants.
    """

    value_edited = Signal(object)

    def show_value(self, value: Any, axes: int) -> None:
        """Show a value without announcing it; `axes` is the number of spatial axes."""
        raise NotImplementedError

    def give_name(self, name: str) -> None:
        """Tell assistive programs what is edited here."""
        self.setAccessibleName(name)
        for part in typed_in(self):
            if not part.accessibleName():
                part.setAccessibleName(name)

    def _row(self) -> QHBoxLayout:
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        return layout


def make_editor(parameter: Parameter) -> Editor:
    """Return the editor for a parameter."""
    editor: Editor = _EDITORS[parameter.kind](parameter)
    editor.setToolTip(parameter.description)
    editor.give_name(parameter.name.replace("_", " "))
    return editor


def typed_in(widget: QWidget) -> list[QWidget]:
    """Return the parts of an editor that take the keyboard focus, in the order of Tab."""
    return [
        part
        for part in (widget, *widget.findChildren(QWidget))
        if part.focusPolicy() & Qt.FocusPolicy.TabFocus
        and part.focusProxy() is None
        and part.window() is widget.window()  # not the list that a box opens
    ]


def _spin(minimum: int, maximum: int = LARGEST) -> Spin:
    spin = Spin()
    spin.setRange(minimum, maximum)
    spin.setAccelerated(True)
    # Otherwise it would be as wide as the largest number of its range.
    spin.setMinimumWidth(64)
    spin.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    return spin


class IntegerEditor(Editor):
    """A whole number; below the least one it is empty, if that is allowed."""

    def __init__(self, parameter: Parameter, empty: str = "as input") -> None:
        super().__init__()
        least = int(parameter.minimum if parameter.minimum is not None else -LARGEST)
        self._is_optional = parameter.default is None and not parameter.required
        self.spin = _spin(least - self._is_optional)
        if self._is_optional:
            self.spin.setSpecialValueText(empty)
        self._row().addWidget(self.spin)
        self.spin.valueChanged.connect(self._announce)

    def show_value(self, value: Any, axes: int) -> None:  # noqa: ARG002 - same for all axes
        """Show a number or None."""
        with QSignalBlocker(self.spin):
            self.spin.setValue(self.spin.minimum() if value is None else value)

    def _announce(self, number: int) -> None:
        is_empty = self._is_optional and number == self.spin.minimum()
        self.value_edited.emit(None if is_empty else number)


class GroupsEditor(Editor):
    """A number of groups, or one group per channel."""

    def __init__(self, parameter: Parameter) -> None:
        del parameter
        super().__init__()
        self.spin = _spin(0)
        self.spin.setSpecialValueText("depthwise")
        self._row().addWidget(self.spin)
        self.spin.valueChanged.connect(lambda n: self.value_edited.emit(n or "depthwise"))

    def show_value(self, value: Any, axes: int) -> None:  # noqa: ARG002
        """Show a number or "depthwise"."""
        with QSignalBlocker(self.spin):
            self.spin.setValue(0 if value == "depthwise" else value)


class AxesEditor(Editor):
    """One spin box for all axes, or one per axis if they differ or the user wants that."""

    def __init__(self, minimum: int, *, empty: str = "") -> None:
        super().__init__()
        self._empty = empty
        self._least = minimum
        self._is_apart = False
        self.spins: list[Spin] = []
        self._spin_row = self._row()
        self._add_spin()
        self.apart = QToolButton()
        self.apart.setCheckable(True)
        self.apart.setAutoRaise(True)
        self.apart.setText("y≠x")
        self.apart.setToolTip("One value per axis, or one for all axes")
        self.apart.setAccessibleName("One value per axis")
        self.apart.toggled.connect(self._set_apart)
        self._spin_row.addWidget(self.apart)
        self._axes = 0

    def show_value(self, value: Any, axes: int) -> None:
        """Show one number for all axes, one per axis, or None."""
        values = tuple(value) if isinstance(value, Sequence) else (value,) * axes
        if len(set(values)) > 1:
            self._is_apart = True
        elif axes != self._axes:
            self._is_apart = False
        with QSignalBlocker(self.apart):
            self.apart.setChecked(self._is_apart)
        self.apart.setVisible(axes > 1)
        self.apart.setText({2: "y≠x", 3: "z≠y≠x"}.get(axes, ""))
        self._axes = axes
        self._make_spins(len(values) if self._is_apart else 1)
        for spin, number in zip(self.spins, values, strict=False):
            with QSignalBlocker(spin):
                spin.setValue(spin.minimum() if number is None else number)

    def give_name(self, name: str) -> None:
        """Tell assistive programs what is edited here, and along which axis."""
        self.setAccessibleName(name)
        self.spins[0].setAccessibleName(name)
        self.apart.setAccessibleName(f"{name}, one value per axis")

    def _add_spin(self) -> None:
        spin = _spin(self._least - bool(self._empty))
        if self._empty:
            spin.setSpecialValueText(self._empty)
        spin.valueChanged.connect(self._announce)
        self._spin_row.insertWidget(len(self.spins), spin, 1)
        if self.spins:
            self.setTabOrder(self.spins[-1], spin)
        self.spins.append(spin)

    def _make_spins(self, count: int) -> None:
        names = AXIS_NAMES.get(count, ("",) * count) if count > 1 else ("",)
        while len(self.spins) > count:
            self.spins.pop().deleteLater()
        while len(self.spins) < count:
            self._add_spin()
        for spin, name in zip(self.spins, names, strict=True):
            prefix = f"{name} " if name else ""
            if spin.prefix() != prefix:  # otherwise Qt lays the form out again
                spin.setPrefix(prefix)
            spin.setAccessibleName(f"{self.accessibleName()} {name}".strip())

    def values(self) -> tuple[int | None, ...]:
        """Return what the spin boxes show; None where one is empty."""
        return tuple(
            None if self._empty and x.value() == x.minimum() else x.value() for x in self.spins
        )

    def _announce(self) -> None:
        values = self.values()
        if len(values) == 1:
            self.value_edited.emit(values[0])
        elif None in values:
            # Either all axes are given or none.
            given = [x for x in values if x is not None]
            self.value_edited.emit((given[0],) * len(values) if given else None)
        else:
            self.value_edited.emit(values)

    def _set_apart(self, is_apart: bool) -> None:
        values = self.values()
        self._is_apart = is_apart
        value = values[0] if len(values) == 1 or not is_apart else values
        if not is_apart and len(set(values)) > 1:
            self.value_edited.emit(values[0])
        self.show_value(value, self._axes)


def _sizes_editor(parameter: Parameter) -> Editor:
    least = int(parameter.minimum if parameter.minimum is not None else 0)
    is_optional = parameter.default is None and not parameter.required
    empty = "" if not is_optional else "kernel" if parameter.name == "stride" else "not set"
    return AxesEditor(least, empty=empty)


class KeptAxesEditor(AxesEditor):
    """One spin box for all axes, or one per axis; an axis without a value keeps its size."""

    def __init__(self, parameter: Parameter) -> None:
        super().__init__(int(parameter.minimum or 0), empty="unchanged")

    def _announce(self) -> None:
        values = self.values()
        if any(x is not None for x in values):
            self.value_edited.emit(values[0] if len(values) == 1 else values)


class PaddingEditor(Editor):
    """How the map is padded: one number, one per side, or a rule that keeps the size."""

    MODES = ("all sides", "each side", "same", "same_lower")

    def __init__(self, parameter: Parameter) -> None:
        super().__init__()
        self._is_optional = parameter.default is None and not parameter.required
        self.mode = Choice()
        modes = (*self.MODES, "not set") if self._is_optional else self.MODES
        for mode in modes:
            self.mode.addItem(mode.replace("_", " "), mode)
        self.mode.setAccessibleName("sides of the padding")
        self.numbers = AxesEditor(-LARGEST)
        self.before = AxesEditor(-LARGEST)
        self.after = AxesEditor(-LARGEST)
        for numbers, name in (
            (self.numbers, "padding"),
            (self.before, "padding before the first"),
            (self.after, "padding after the last"),
        ):
            numbers.give_name(name)
        self._axes = 2
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        self._sides = (QLabel("before the first"), QLabel("after the last"))
        for label in self._sides:
            label.setForegroundRole(QPalette.ColorRole.PlaceholderText)
        first_label, last_label = self._sides
        for part in (self.mode, self.numbers, first_label, self.before, last_label, self.after):
            layout.addWidget(part)
        self.mode.activated.connect(self._change_mode)
        self.numbers.value_edited.connect(self.value_edited)
        self.before.value_edited.connect(self._announce_sides)
        self.after.value_edited.connect(self._announce_sides)

    def show_value(self, value: Any, axes: int) -> None:
        """Show any form of padding."""
        self._axes = axes
        sided = isinstance(value, tuple) and any(isinstance(x, tuple) for x in value)
        mode = "each side" if sided else "all sides"
        if isinstance(value, str):
            mode = value
        elif value is None:
            mode = "not set"
        self.mode.setCurrentIndex(self.mode.findData(mode))
        self.numbers.setVisible(mode == "all sides")
        for part in (*self._sides, self.before, self.after):
            part.setVisible(mode == "each side")
        if mode == "all sides":
            self.numbers.show_value(value, axes)
        elif sided:
            self.before.show_value(_one([x[0] for x in value]), axes)
            self.after.show_value(_one([x[1] for x in value]), axes)

    def _change_mode(self) -> None:
        mode = self.mode.currentData()
        match mode:
            case "not set":
                self.value_edited.emit(None)
            case "same" | "same_lower":
                self.value_edited.emit(mode)
            case "all sides":
                self.value_edited.emit(0)
            case _:
                # (0, 0) on every side would be shown as one number, so it starts uneven.
                self.value_edited.emit(((0, 1),) * self._axes)

    def _announce_sides(self) -> None:
        before = _spread(self.before.values(), self._axes)
        after = _spread(self.after.values(), self._axes)
        self.value_edited.emit(tuple(zip(before, after, strict=True)))


class ScalesEditor(Editor):
    """A factor, or one per axis."""

    def __init__(self, parameter: Parameter) -> None:
        super().__init__()
        self._is_optional = parameter.default is None and not parameter.required
        self.line = Line()
        self.line.setPlaceholderText("not set")
        self._row().addWidget(self.line)
        self.line.editingFinished.connect(self._announce)
        self._shown = ""

    def show_value(self, value: Any, axes: int) -> None:  # noqa: ARG002
        """Show a factor, several, or None."""
        values = value if isinstance(value, tuple) else () if value is None else (value,)
        self._shown = " × ".join(f"{x:g}" for x in values)
        self.line.setText(self._shown)

    def _announce(self) -> None:
        text = self.line.text()
        if text == self._shown:
            return
        words = text.replace("×", " ").replace(",", " ").split()
        try:
            values = tuple(int(x) if x.isdigit() else float(x) for x in words)
        except ValueError:
            self.line.setText(self._shown)
            return
        self.value_edited.emit(None if not values else values[0] if len(values) == 1 else values)


class NumberEditor(Editor):
    """Any number, as a text, so that 1e-5 stays legible."""

    def __init__(self, parameter: Parameter) -> None:
        super().__init__()
        del parameter
        self.line = Line()
        self._row().addWidget(self.line)
        self._shown = ""
        self.line.editingFinished.connect(self._announce)

    def show_value(self, value: Any, axes: int) -> None:  # noqa: ARG002
        """Show a number."""
        self._shown = f"{value:g}"
        self.line.setText(self._shown)

    def _announce(self) -> None:
        if self.line.text() == self._shown:
            return
        try:
            self.value_edited.emit(float(self.line.text()))
        except ValueError:
            self.line.setText(self._shown)


class TextEditor(Editor):
    """A text."""

    def __init__(self, parameter: Parameter) -> None:
        super().__init__()
        del parameter
        self.line = Line()
        self._row().addWidget(self.line)
        self._shown = ""
        self.line.editingFinished.connect(self._announce)

    def show_value(self, value: Any, axes: int) -> None:  # noqa: ARG002
        """Show a text."""
        self._shown = value or ""
        self.line.setModified(False)
        if self.line.text() != self._shown:
            self.line.setText(self._shown)

    def _announce(self) -> None:
        if self.line.text() != self._shown:
            self.value_edited.emit(self.value_of(self.line.text()))

    def value_of(self, text: str) -> str | None:
        """Return the value that a text means."""
        return text


class LayerEditor(TextEditor):
    """The name of a layer, or none."""

    def value_of(self, text: str) -> str | None:  # noqa: D102
        return text.strip() or None


class IntegersEditor(TextEditor):
    """A list of whole numbers, with commas between them."""

    def show_value(self, value: Any, axes: int) -> None:
        """Show the numbers."""
        super().show_value(", ".join(map(str, value or ())), axes)

    def _announce(self) -> None:
        entries = self.line.text().replace(",", " ").split()
        if all(x.removeprefix("-").isdecimal() for x in entries):
            super()._announce()
        else:
            self.line.setText(self._shown)

    def value_of(self, text: str) -> Any:  # noqa: D102
        return tuple(int(x) for x in text.replace(",", " ").split()) or None


class SourcesEditor(TextEditor):
    """What is read of each source, as one line."""

    def __init__(self, parameter: Parameter) -> None:
        super().__init__(parameter)
        self.line.setPlaceholderText("kernel_size 3, padding 1; global true")

    def show_value(self, value: Any, axes: int) -> None:
        """Show the line."""
        super().show_value(text_of_sources(value), axes)

    def _announce(self) -> None:
        try:
            sources_of_text(self.line.text())
        except OpError:
            self.line.setText(self._shown)
        else:
            super()._announce()

    def value_of(self, text: str) -> Any:  # noqa: D102
        return sources_of_text(text)


class BooleanEditor(Editor):
    """Yes or no."""

    def __init__(self, parameter: Parameter) -> None:
        super().__init__()
        self.box = QCheckBox()
        self.box.setAccessibleName(parameter.name.replace("_", " "))
        self._row().addWidget(self.box)
        self.box.toggled.connect(self.value_edited.emit)

    def show_value(self, value: Any, axes: int) -> None:  # noqa: ARG002
        """Show a switch."""
        with QSignalBlocker(self.box):
            self.box.setChecked(value)


class FlagsEditor(Editor):
    """Yes or no for each axis."""

    def __init__(self, parameter: Parameter) -> None:
        super().__init__()
        self.boxes = [QCheckBox() for _ in range(3)]
        row = self._row()
        for i, box in enumerate(self.boxes):
            box.setAccessibleName(f"{parameter.name.replace('_', ' ')}, axis {i + 1}")
            row.addWidget(box)
            box.toggled.connect(self._announce)
        self._axes = len(self.boxes)

    def show_value(self, value: Any, axes: int) -> None:
        """Show a switch for each axis."""
        self._axes = axes
        values = value if isinstance(value, tuple) else (value,) * axes
        for i, box in enumerate(self.boxes):
            box.setVisible(i < axes)
            with QSignalBlocker(box):
                box.setChecked(i < axes and values[i])

    def _announce(self) -> None:
        values = tuple(box.isChecked() for box in self.boxes[: self._axes])
        self.value_edited.emit(values[0] if len(set(values)) == 1 else values)


class ChoiceEditor(Editor):
    """One of a few words."""

    def __init__(self, parameter: Parameter) -> None:
        super().__init__()
        self.box = Choice()
        self.box.addItems(list(parameter.choices))
        self.box.setSizePolicy(
            self.box.sizePolicy().Policy.Expanding, self.box.sizePolicy().verticalPolicy()
        )
        self._row().addWidget(self.box)
        self.box.textActivated.connect(self.value_edited.emit)

    def show_value(self, value: Any, axes: int) -> None:  # noqa: ARG002
        """Show a word."""
        self.box.setCurrentText(value)


def _one(values: list[int]) -> int | tuple[int, ...]:
    return values[0] if len(set(values)) == 1 else tuple(values)


def _spread(values: tuple[int | None, ...], axes: int) -> tuple[int, ...]:
    numbers = tuple(x or 0 for x in values)
    return numbers * axes if len(numbers) == 1 else numbers


_EDITORS: dict[Kind, Any] = {
    Kind.INTEGER: IntegerEditor,
    Kind.INTEGERS: IntegersEditor,
    Kind.SIZES: _sizes_editor,
    Kind.KEPT_SIZES: KeptAxesEditor,
    Kind.PADDING: PaddingEditor,
    Kind.SCALES: ScalesEditor,
    Kind.NUMBER: NumberEditor,
    Kind.BOOLEAN: BooleanEditor,
    Kind.FLAGS: FlagsEditor,
    Kind.CHOICE: ChoiceEditor,
    Kind.GROUPS: GroupsEditor,
    Kind.TEXT: TextEditor,
    Kind.LAYER: LayerEditor,
    Kind.SOURCES: SourcesEditor,
}
