"""The form of the chosen item, generated from the parameters that `rfstudio.core.ops` declares."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

from PySide6.QtCore import QEvent, QPoint, QSignalBlocker, Qt, Signal
from PySide6.QtGui import QAction, QPalette
from PySide6.QtWidgets import (
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QMenu,
    QToolButton,
    QWidget,
)

from rfstudio.app.editing.layer_edits import LayerEdits
from rfstudio.app.frames import Later, Rank, at_once
from rfstudio.app.state.document import Document
from rfstudio.app.state.selection import Selection
from rfstudio.app.wording.terms import FIELDS, HINT
from rfstudio.core.errors import RFStudioError
from rfstudio.core.network.architecture import (
    Item,
    Layer,
    Location,
    MergeKind,
    Parallel,
    Repeat,
    item_at,
)
from rfstudio.core.network.growth import scale_of_text, scale_text
from rfstudio.core.network.input_texts import (
    axes_of_text,
    axes_text,
    inputs_of_text,
    inputs_text,
)
from rfstudio.core.ops import parameters
from rfstudio.widgets.inspector.editors import AxesEditor, Editor, make_editor, typed_in
from rfstudio.widgets.parts.explaining import explain_by
from rfstudio.widgets.parts.fields import LARGEST, Choice, Line, Spin
from rfstudio.widgets.parts.theme import is_dark, severity_colour


class ItemForm(QWidget):
    """Edits the chosen item, or the network itself when its input is chosen.

    Signals
    -------
    refused
        A value was not accepted; why, in a sentence.
    """

    refused = Signal(str)

    def __init__(
        self,
        document: Document,
        selection: Selection,
        edits: LayerEdits,
        parent: QWidget | None = None,
        *,
        later: Later = at_once,
    ) -> None:
        super().__init__(parent)
        self._later = later
        self._document = document
        self._selection = selection
        self._edits = edits
        self._kind: object = ()
        self._item_shown: Item | None = None
        # What the fields change: what is shown, or what this form has made of it since.
        self._item_meant: Item | None = None
        self._place_shown: Location | None = None
        self._axes_shown = 0
        self._shows: list[Callable[[], None]] = []
        self.editors: dict[str, QWidget] = {}
        self._layout = QFormLayout(self)
        self._layout.setContentsMargins(12, 4, 12, 8)
        self._layout.setHorizontalSpacing(10)
        self._layout.setVerticalSpacing(6)
        self._layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self._layout.setLabelAlignment(Qt.AlignmentFlag.AlignRight)
        self._fault = QLabel()
        self._fault.setWordWrap(True)
        self._fault.setVisible(False)
        document.architecture_changed.connect(lambda: edits.once_known(self._follow_later))
        selection.selection_changed.connect(self._follow_later)
        self._follow()

    # --- following ------------------------------------------------------------------------------

    def _item(self) -> Item | None:
        """Return the chosen item as it is now; None for the network's input."""
        location = self._selection.item
        if location is None:
            return None
        try:
            return item_at(self._document.architecture, location)
        except RFStudioError:
            return None  # the selection is updated in a moment

    def _location(self) -> Location:
        location = self._selection.item
        assert location is not None
        return location

    def _follow_later(self) -> None:
        self._later(Rank.NUMBERS, self._follow)

    def _follow(self) -> None:
        item, axes = self._item(), self._document.architecture.axes
        kind: object = (
            None if item is None else type(item.op) if isinstance(item, Layer) else type(item)
        )
        self._fault.setVisible(False)
        self._place_shown, self._item_meant = self._selection.item, item
        if kind != self._kind:
            self._kind = kind
            self._build(item)
        elif item is not None and item is self._item_shown and axes == self._axes_shown:
            return  # another layer was edited
        self._item_shown, self._axes_shown = item, axes
        for show in self._shows:
            show()

    # --- building -------------------------------------------------------------------------------

    def _build(self, item: Item | None) -> None:
        self._layout.removeWidget(self._fault)
        self._fault.setParent(self)
        while self._layout.rowCount():
            self._layout.removeRow(0)
        self._shows = []
        self.editors = {}
        if item is None:
            self._build_network()
        else:
            self._build_name()
            if isinstance(item, Layer):
                self._build_reads(item)
                if item.op.weighted:
                    self._build_weights()
                for parameter in parameters(type(item.op)):
                    self._add_parameter(make_editor(parameter), parameter.name)
            elif isinstance(item, Repeat):
                self._build_times()
                self._build_scale()
            elif isinstance(item, Parallel):
                self._build_merge()
        self._layout.addRow(self._fault)
        self._chain()

    def _chain(self) -> None:
        """Put the new editors into the order of Tab here, not at the end of the window's."""
        here: QWidget = self
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)  # Qt orders nothing after what Tab skips
        for editor in self.editors.values():
            for part in typed_in(editor):
                self.setTabOrder(here, part)
                here = part
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)

    def begin(self) -> None:
        """Move the keyboard focus to the first editor."""
        # A focus proxy would do, too, but it moves the form in the order of Tab with each change.
        first = typed_in(next(iter(self.editors.values())))[0]
        first.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def _add(self, label: str, name: str, editor: QWidget, tip: str) -> None:
        editor.setToolTip(tip)
        self.editors[name] = editor
        text = QLabel(label)
        entry = FIELDS.get(label, "")
        explain_by(text, entry, label)
        text.setToolTip(f"{tip}\n{HINT}" if entry else tip)
        parts = typed_in(editor)
        if parts:
            text.setBuddy(parts[0])
        self._layout.addRow(text, editor)

    def _add_parameter(self, editor: Editor, name: str) -> None:
        self._add(name.replace("_", " "), name, editor, editor.toolTip())
        editor.value_edited.connect(
            lambda value: self._try(
                lambda: self._edits.set_parameter(self._location(), name, value)
            )
        )

        def show() -> None:
            item = self._item()
            if isinstance(item, Layer) and name in {x.name for x in parameters(type(item.op))}:
                editor.show_value(getattr(item.op, name), self._document.architecture.axes)

        self._shows.append(show)

    def _build_name(self) -> None:
        line = Line()
        line.setAccessibleName("name")
        tip = "Its name; empty: its operation and a number. Names in `from` change with it."
        self._add("name", "name", line, tip)

        def show() -> None:
            item = self._item()
            if item is not None:
                line.setText(item.name)
                own = item.op.keyword if isinstance(item, Layer) else item.keyword
                line.setPlaceholderText(f"{own}, numbered" if isinstance(item, Layer) else "none")

        def rename() -> None:
            item = self._item()
            if item is not None and line.text().strip() != item.name:
                self._try(lambda: self._edits.rename(self._location(), line.text()))

        line.editingFinished.connect(rename)
        self._shows.append(show)

    def _build_reads(self, layer: Layer) -> None:
        box = QWidget()
        row = QHBoxLayout(box)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        line = Line()
        line.setAccessibleName("reads")
        line.setPlaceholderText("the layer before it")
        choose = QToolButton()
        choose.setText("▾")
        choose.setAutoRaise(True)
        choose.setAccessibleName("Choose the layers that it reads")
        choose.setToolTip("Choose from the layers before it")
        row.addWidget(line, 1)
        row.addWidget(choose)
        several = layer.op.merges or layer.op.may_join
        tip = "Names of the layers that it reads (`from` in the file)" + (
            ", separated by commas." if several else "; empty: the layer before it."
        )
        self._add("reads", "from", box, tip)

        def show() -> None:
            item = self._item()
            if isinstance(item, Layer):
                line.setText(", ".join(item.inputs))

        def edit() -> None:
            item = self._item()
            names = [x.strip() for x in line.text().split(",") if x.strip()]
            if isinstance(item, Layer) and tuple(names) != item.inputs:
                self._try(lambda: self._edits.set_inputs(self._location(), names))

        line.editingFinished.connect(edit)
        choose.clicked.connect(
            lambda: self._offer_sources(choose.mapToGlobal(QPoint(0, choose.height())), several)
        )
        self._shows.append(show)

    def _offer_sources(self, place: QPoint, several: bool) -> None:
        item = self._item()
        if not isinstance(item, Layer):
            return
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for name in reversed(self._edits.readable(self._location())):
            action = QAction(name, menu)
            action.setCheckable(True)
            action.setChecked(name in item.inputs)
            # Of a partial, Qt's binding cannot tell that it takes the state of the check mark.
            action.triggered.connect(
                lambda is_on, name=name: self._toggle_source(name, several, is_on)
            )
            menu.addAction(action)
        menu.exec(place)

    def _toggle_source(self, name: str, several: bool, is_on: bool) -> None:
        item = self._item()
        if not isinstance(item, Layer):
            return
        others = [x for x in item.inputs if x != name] if several else []
        names = [*others, name] if is_on else others
        self._try(lambda: self._edits.set_inputs(self._location(), names))

    def _build_weights(self) -> None:
        line = Line()
        line.setAccessibleName("weights of")
        line.setPlaceholderText("its own")
        tip = "The layer before it whose weights it has (`weights_of`); empty: its own."
        self._add("weights of", "weights_of", line, tip)

        def show() -> None:
            item = self._item()
            if isinstance(item, Layer):
                line.setText(item.weights_of)

        def edit() -> None:
            item, name = self._item(), line.text().strip()
            if isinstance(item, Layer) and name != item.weights_of:
                self._try(lambda: self._edits.set_weights_of(self._location(), name))

        line.editingFinished.connect(edit)
        self._shows.append(show)

    def _build_times(self) -> None:
        spin = Spin()
        spin.setRange(1, 100_000)
        spin.setAccessibleName("times")
        self._add("times", "times", spin, "How many copies of the layers follow one another.")

        def show() -> None:
            item = self._item()
            if isinstance(item, Repeat):
                with QSignalBlocker(spin):
                    spin.setValue(item.times)

        spin.valueChanged.connect(
            lambda n: self._try(lambda: self._edits.set_parameter(self._location(), "times", n))
        )
        self._shows.append(show)

    def _build_scale(self) -> None:
        line = Line()
        line.setAccessibleName("scale")
        line.setPlaceholderText("nothing")
        tip = "What is multiplied at each turn, as in `dilation: 2, padding: 2`; empty: nothing."
        self._add("grows", "scale", line, tip)

        def show() -> None:
            item = self._item()
            if isinstance(item, Repeat):
                line.setText(scale_text(item.scale))

        def edit() -> None:
            item = self._item()
            if isinstance(item, Repeat) and line.text().strip() != scale_text(item.scale):
                self._try(
                    lambda: self._edits.set_parameter(
                        self._location(), "scale", scale_of_text(line.text())
                    )
                )

        line.editingFinished.connect(edit)
        self._shows.append(show)

    def _build_merge(self) -> None:
        box = Choice()
        box.addItems(get_args(MergeKind))
        box.setAccessibleName("merge")
        self._add("merge", "merge", box, "How the branches are joined; concat joins channels.")
        branch = QToolButton()
        branch.setText("Add branch")
        self._add("", "branch", branch, "Add an empty branch: the identity.")

        def show() -> None:
            item = self._item()
            if isinstance(item, Parallel):
                box.setCurrentText(item.merge)

        box.textActivated.connect(
            lambda word: self._try(
                lambda: self._edits.set_parameter(self._location(), "merge", word)
            )
        )
        branch.clicked.connect(lambda: self._try(lambda: self._edits.add_branch(self._location())))
        self._shows.append(show)

    def _build_network(self) -> None:
        for label, fact, tip in (
            ("name", "name", "Name of the network."),
            ("about", "description", "A sentence about the network."),
            ("source", "reference", "Its publication, such as an arXiv number."),
        ):
            self._add_network_text(label, fact, tip)
        size = AxesEditor(1)
        size.give_name("size")
        self._add("size", "input_size", size, "Size of the input along each axis, in pixels.")
        size.value_edited.connect(self._set_input_size)
        channels = Spin()
        channels.setRange(1, LARGEST)
        channels.setAccessibleName("channels")
        self._add("channels", "channels", channels, "Number of channels of the input; 3 for RGB.")
        channels.valueChanged.connect(
            lambda n: self._try(lambda: self._edits.set_network("input channels", channels=n))
        )

        def show() -> None:
            architecture = self._document.architecture
            size.show_value(architecture.input_size, architecture.axes)
            with QSignalBlocker(channels):
                channels.setValue(architecture.channels)

        self._shows.append(show)
        self._add_network_line(
            "axes",
            "input_axes",
            "as in depth: 0.05 mm; width: 0.1 mm",
            "What each axis of the input measures: name, spacing and unit of its samples, and the\n"
            "window of one sample if it is another, as in time: 320 samples window 1024; mel:",
            lambda: axes_text(self._document.architecture.input_axes),
            lambda text: axes_of_text(text, self._document.architecture.axes),
        )
        self._add_network_line(
            "more inputs",
            "further_inputs",
            "as in guide: 64×64, 3 channels",
            "Inputs beside the first one, which layers read by name; several with ; between them.",
            lambda: inputs_text(self._document.architecture.further_inputs),
            inputs_of_text,
        )

    def _add_network_line(
        self,
        label: str,
        fact: str,
        example: str,
        tip: str,
        text_of: Callable[[], str],
        value_of: Callable[[str], object],
    ) -> None:
        """Add a line for a fact that is written as a text."""
        line = Line()
        line.setAccessibleName(label)
        line.setPlaceholderText(example)
        self._add(label, fact, line, tip)

        def show() -> None:
            line.setText(text_of())
            line.setCursorPosition(0)

        def edit() -> None:
            if line.text().strip() != text_of():
                self._try(lambda: self._edits.set_network(label, **{fact: value_of(line.text())}))

        line.editingFinished.connect(edit)
        self._shows.append(show)

    def _add_network_text(self, label: str, fact: str, tip: str) -> None:
        line = Line()
        line.setAccessibleName(label)
        self._add(label, fact, line, tip)

        def show() -> None:
            line.setText(getattr(self._document.architecture, fact))
            line.setCursorPosition(0)
            line.setToolTip(f"{tip}\n{line.text()}".rstrip())

        def edit() -> None:
            if line.text() != getattr(self._document.architecture, fact):
                self._try(lambda: self._edits.set_network(fact, **{fact: line.text()}))

        line.editingFinished.connect(edit)
        self._shows.append(show)

    def _set_input_size(self, value: Any) -> None:
        axes = self._document.architecture.axes
        size = value if isinstance(value, tuple) else (value,) * axes
        self._try(lambda: self._edits.set_network("input size", input_size=size))

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        """Keep the error message readable when the theme changes."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "_fault"):
            self._colour_fault()

    def _colour_fault(self) -> None:
        palette = QPalette()
        colour = severity_colour("error", dark=is_dark(self))
        palette.setColor(QPalette.ColorRole.WindowText, colour)
        self._fault.setPalette(palette)

    def _try(self, do: Callable[[], None]) -> None:
        if self._place_shown != self._selection.item or self._item_meant is not self._item():
            # What was typed is for an item that is not chosen any more, or whose place another one
            # has by now.  Not at once: that would delete the field that is speaking.
            self._item_shown = None
            self._follow_later()
            return
        try:
            if self._selection.item is not None:
                self._edits.check_place(self._selection.item)
            do()
            self._item_meant = self._item()
        except RFStudioError as error:
            for show in self._shows:
                show()
            self._fault.setText(str(error))
            self._colour_fault()
            self._fault.setVisible(True)
            self.refused.emit(str(error))
