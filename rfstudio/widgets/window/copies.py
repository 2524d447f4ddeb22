"""Code and commands on the clipboard that make again what the window shows."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QGuiApplication

from rfstudio.app.effective.erf_options import ErfOptions
from rfstudio.app.files.figure_contents import FigureContents
from rfstudio.app.files.figure_settings import FigureSettings
from rfstudio.app.studio import Studio
from rfstudio.app.wording.figure_snippets import figure_command, figure_python
from rfstudio.app.wording.inline_networks import InlineNetworks
from rfstudio.app.wording.snippets import command_text, python_text
from rfstudio.core.errors import RFStudioError

_PYTHON, _COMMAND = "Python lines", "The command"


class Copies(QObject):
    """Copies what makes the numbers, figures and fields of the window.

    Parameters
    ----------
    studio
        What is shown.
    contents
        What figures show.
    saved_word
        Returns the preset or file of the open network as it is now; empty: it has none, and is
        written out.

    Signals
    -------
    announced
        What was copied, or why nothing was.
    """

    announced = Signal(str)

    def __init__(
        self,
        studio: Studio,
        contents: FigureContents,
        saved_word: Callable[[], str],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._studio = studio
        self._contents = contents
        self._saved_word = saved_word

    def figure(self, figure: FigureSettings, language: str) -> str:
        """Put what draws a figure on the clipboard, "python" or "command"; return what to say."""
        return self._copied(
            lambda: self._figure_text(figure, language),
            _PYTHON if language == "python" else _COMMAND,
        )

    def _figure_text(self, figure: FigureSettings, language: str) -> str:
        inline = InlineNetworks()
        recipe = self._contents.recipe(figure, self._network(inline), inline)
        if language == "python":
            return inline.python(figure_python(recipe))
        return inline.command(figure_command(recipe))

    def python(self) -> None:
        """Put Python lines on the clipboard that compute what is shown."""
        self.announced.emit(self._copied(self._python_text, _PYTHON))

    def _python_text(self) -> str:
        analysis, inline = self._studio.analysis, InlineNetworks()
        text = python_text(
            self._network(inline),
            self._studio.selection.value,
            self._shown_options(),
            reference=analysis.reference,
            batch_norm_training=analysis.batch_norm_training,
        )
        return inline.python(text)

    def command(self) -> None:
        """Put the command on the clipboard that measures what is shown."""
        self.announced.emit(self._copied(self._field_text, _COMMAND))

    def field_command(self) -> str:
        """Return the command that measures what is shown; empty: there is none."""
        try:
            return self._field_text()
        except RFStudioError:
            return ""

    def _field_text(self) -> str:
        chosen, options = self._studio.selection.value, self._shown_options()
        picture = self._studio.images.picture
        image = None if picture is None else picture.path
        reference = self._studio.analysis.reference
        inline = InlineNetworks()
        word = self._network(inline)
        return inline.command(command_text(word, chosen, options, image, reference=reference))

    def spread(self) -> None:
        """Put the command on the clipboard that measures each image of the folder."""
        self.announced.emit(self._copied(self._spread_text, _COMMAND))

    def spread_command(self) -> str:
        """Return the command of the fields on images; empty: there is none."""
        try:
            return self._spread_text()
        except RFStudioError:
            return ""

    def _spread_text(self) -> str:
        """Return the command of the fields on images, whatever network is open by now."""
        session, inline = self._studio.spread, InlineNetworks()
        if session is None:
            raise RFStudioError("this window measures nothing on images")
        network = session.network
        word = self._saved_word() if network == self._studio.document.architecture else ""
        return inline.command(session.command(word or inline.word("network", network)))

    def _shown_options(self) -> ErfOptions | None:
        """Return how the field that is shown was measured; None: it is the expected one."""
        shown = self._studio.erf.shown
        return None if shown.measured is None else shown.measurement.options

    def _network(self, inline: InlineNetworks) -> str:
        """Return what names the open network as it is now; one without a file is written out."""
        return self._saved_word() or inline.word("network", self._studio.document.architecture)

    @staticmethod
    def _copied(make: Callable[[], str], what: str) -> str:
        """Put a text on the clipboard, unless it cannot be made; return what to say."""
        try:
            text = make()
        except RFStudioError as error:
            why = str(error)
            return f"{why[:1].upper()}{why[1:]}."
        QGuiApplication.clipboard().setText(text)
        return f"{what} copied"
