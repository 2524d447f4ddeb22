"""Lists remarks on the open network, and the problems of a file that was not opened."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from rfstudio.app.frames import Later, Rank, at_once
from rfstudio.app.state.analysis_session import AnalysisSession
from rfstudio.app.state.document import Document
from rfstudio.app.state.selection import Selection
from rfstudio.app.wording.terms import terms_in
from rfstudio.core.errors import Problem
from rfstudio.core.fields.remarks.remark import Diagnostic, Remedy
from rfstudio.importing.imported import import_remarks
from rfstudio.widgets.parts.empty_words import empty_words
from rfstudio.widgets.parts.theme import icon, is_dark, severity_colour

_LAYER = Qt.ItemDataRole.UserRole
_REMEDY = _LAYER + 1
_MESSAGE = _LAYER + 2
_WORDS = {
    "error": ("error", "errors"),
    "warning": ("warning", "warnings"),
    "note": ("note", "notes"),
}


_EMPTY = "No remarks: every layer fits, and all paths agree."
_NO_LAYERS = "No layers yet, and so no remarks. What does not fit or align will be listed here."


class ProblemsPanel(QWidget):
    """Shows remarks and problems; choosing a remark chooses its layer.

    Signals
    -------
    summary_changed
        How many remarks there are, in words, and the worst severity (empty if there is none).
    term_wanted
        An entry of the glossary.
    """

    summary_changed = Signal(str, str)
    term_wanted = Signal(str)

    def __init__(
        self,
        document: Document,
        session: AnalysisSession,
        selection: Selection,
        parent: QWidget | None = None,
        *,
        later: Later = at_once,
    ) -> None:
        super().__init__(parent)
        self._later = later
        self._document = document
        self._session = session
        self._selection = selection
        self.list = QListWidget()
        self.list.setAccessibleName("Remarks on the network")
        self.list.setWordWrap(True)
        self.list.setFrameShape(QListWidget.Shape.NoFrame)
        self.list.setSpacing(1)
        self.file_list = QListWidget()
        self.file_list.setAccessibleName("Problems of the file")
        self.file_list.setWordWrap(True)
        self.file_list.setFrameShape(QListWidget.Shape.NoFrame)
        self.file_title = QLabel()
        self.file_title.setWordWrap(True)
        self._copy = QToolButton()
        self._copy.setText("Copy")
        self._copy.setAutoRaise(True)
        self._dismiss = QToolButton()
        self._dismiss.setText("Dismiss")
        self._dismiss.setAutoRaise(True)
        self.repair = QToolButton()
        self.repair.setText("Apply the remedy")
        self.repair.setToolTip("Change the network as the remark says; it can be undone.")
        self.repair.setAutoRaise(True)
        self.terms = QLabel(wordWrap=True, textFormat=Qt.TextFormat.RichText)
        self.terms.setAccessibleName("Words of the chosen remark that the glossary explains")
        self.terms.setTextInteractionFlags(
            Qt.TextInteractionFlag.LinksAccessibleByMouse
            | Qt.TextInteractionFlag.LinksAccessibleByKeyboard
        )
        self.terms.setContentsMargins(10, 2, 10, 4)
        self.terms.hide()
        self._empty = empty_words(_EMPTY)

        self._file_box = QWidget()
        self._lay_out()

        self._problems: tuple[Problem, ...] = ()
        self._listed: tuple[tuple[Diagnostic, ...], bool] | None = None
        self._told: tuple[str, str, bool] | None = None
        self._connect()
        self.clear_file_problems()
        self._follow()

    def _connect(self) -> None:
        self._copy.clicked.connect(self._copy_problems)
        self._dismiss.clicked.connect(self.clear_file_problems)
        self.list.itemClicked.connect(self._go)
        self.list.itemActivated.connect(self._go)
        self.list.currentItemChanged.connect(self._offer)
        self.list.currentItemChanged.connect(self._explain)
        self.terms.linkActivated.connect(self.term_wanted)
        self.repair.clicked.connect(self._apply)
        self._session.analysis_changed.connect(self._follow_later)
        self._session.prepared.connect(self._follow_later)

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        head.setContentsMargins(10, 6, 6, 2)
        head.addWidget(self.file_title, 1)
        head.addWidget(self._copy)
        head.addWidget(self._dismiss)
        box = QVBoxLayout(self._file_box)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(0)
        box.addLayout(head)
        box.addWidget(self.file_list)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self._file_box, 3)  # the latest request comes first
        layout.addWidget(self.list, 1)
        layout.addWidget(self.terms)
        layout.addWidget(self.repair)
        layout.addWidget(self._empty, 1)

    @property
    def summary(self) -> tuple[str, str]:
        """How many remarks there are, in words, and the worst severity."""
        counts = dict.fromkeys(_WORDS, 0)
        for remark in self._remarks():
            counts[remark.severity] += 1
        words = [f"{n} {_WORDS[kind][n != 1]}" for kind, n in counts.items() if n]
        worst = next((kind for kind, n in counts.items() if n), "")
        return ", ".join(words) or "no remarks", worst

    def _remarks(self) -> tuple[Diagnostic, ...]:
        """Return remarks on the network, and those of its import."""
        architecture = self._session.analysis.architecture
        return (*self._session.remarks, *import_remarks(architecture))

    def show_file_problems(self, path: Path, problems: Sequence[Problem]) -> None:
        """Show why a file was not opened; the open network stays."""
        self._problems = tuple(problems)
        count = len(problems)
        self.file_title.setText(
            f"<b>{_escaped(path.name)}</b> was not opened: "
            f"{count} {'problem' if count == 1 else 'problems'}. "
            "The network that is open stays as it is."
        )
        self.file_title.setToolTip(str(path))
        self.file_list.clear()
        for problem in problems:
            text = f"line {problem.line}, column {problem.column}: {problem.message}"
            item = QListWidgetItem(text)
            item.setToolTip(str(problem))
            self.file_list.addItem(item)
        self._tint()
        self._file_box.show()

    def _tint(self) -> None:
        sign = icon("error", severity_colour("error", dark=is_dark(self)))
        for i in range(self.file_list.count()):
            self.file_list.item(i).setIcon(sign)

    def clear_file_problems(self) -> None:
        """Forget the file that was not opened."""
        self._problems = ()
        self.file_list.clear()
        self._file_box.hide()

    def file_problem_texts(self) -> list[str]:
        """Return the problems of the file that are shown."""
        return [self.file_list.item(i).text() for i in range(self.file_list.count())]

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        """Tint the icons again when light and dark change."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._tint()
            self._follow()

    def _copy_problems(self) -> None:
        QGuiApplication.clipboard().setText("\n".join(map(str, self._problems)))

    def _follow_later(self) -> None:
        self._later(Rank.CHARTS, self._follow)

    def _follow(self) -> None:
        if not self._session.is_prepared:
            return  # those before stay until the new ones are found
        dark = is_dark(self)
        remarks = self._remarks()
        has_layers = len(self._session.analysis.graph.nodes) > 1
        self._empty.setText(_EMPTY if has_layers else _NO_LAYERS)
        if self._listed == (remarks, dark):
            return  # most edits do not change the remarks
        self._listed = (remarks, dark)
        self.list.clear()
        self._explain(None)
        # The worst first; those of one severity stay in the order of the network.
        ranks = list(_WORDS)
        for remark in sorted(remarks, key=lambda x: ranks.index(x.severity)):
            text = f"{remark.layer}: {remark.message}" if remark.layer else remark.message
            picture = icon(remark.severity, severity_colour(remark.severity, dark=dark))
            item = QListWidgetItem(picture, text)
            item.setData(_LAYER, remark.layer)
            item.setData(_REMEDY, remark.remedy)
            item.setData(_MESSAGE, remark.message)
            item.setToolTip(f"{remark.severity} ({remark.code}); click to go to the layer")
            self.list.addItem(item)
        has_any = self.list.count() > 0
        self.list.setVisible(has_any)
        self._empty.setVisible(not has_any)
        self.repair.setVisible(any(x.remedy is not None for x in remarks))
        self._offer()
        summary = self.summary
        if self._told != (*summary, dark):  # the status line measures itself again with each signal
            self._told = (*summary, dark)
            self.summary_changed.emit(*summary)

    def _offer(self) -> None:
        self.repair.setEnabled(self._remedy() is not None)

    def _explain(self, item: QListWidgetItem | None) -> None:
        """Link the words of the chosen remark to the glossary."""
        said = "" if item is None else item.data(_MESSAGE)
        links = [f'<a href="{x.entry}">{_escaped(x.word)}</a>' for x in terms_in(said)]
        self.terms.setText(f"In the glossary: {', '.join(links)}")
        self.terms.setVisible(bool(links))

    def _remedy(self) -> Remedy | None:
        """Return the remedy of the chosen remark; of the only one if none is chosen."""
        if self.list.currentRow() >= 0:
            found = self.list.currentItem().data(_REMEDY)
            return found if isinstance(found, Remedy) else None
        remedies = [x.remedy for x in self._session.remarks if x.remedy is not None]
        return remedies[0] if len(remedies) == 1 else None

    def _apply(self) -> None:
        remedy = self._remedy()
        is_known = self._session.is_prepared and not self._session.is_late
        if remedy is not None and is_known:  # else of an earlier network
            self._document.edit(f"Repair: {remedy.text}", remedy.architecture)

    def _go(self, item: QListWidgetItem) -> None:
        layer = item.data(_LAYER)
        if layer and layer in self._session.analysis:
            self._selection.select_layer(layer)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
