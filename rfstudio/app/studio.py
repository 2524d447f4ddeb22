"""All state of one window, created and connected in one place; the widgets only show it."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import prod
from pathlib import Path

from PySide6.QtCore import QObject

from rfstudio.app.advising import Advising
from rfstudio.app.attention.session import AttentionSession
from rfstudio.app.editing.layer_edits import LayerEdits
from rfstudio.app.effective.erf_session import ErfSession
from rfstudio.app.effective.erf_view import ErfView
from rfstudio.app.effective.pins import Pins
from rfstudio.app.effective.saved_options import remember, remembered
from rfstudio.app.effective.unit_following import UnitFollowing
from rfstudio.app.files.erf_export import ErfExport
from rfstudio.app.files.importing import Importing
from rfstudio.app.files.recent_files import RecentFiles
from rfstudio.app.jobs import JobRunner
from rfstudio.app.spread.session import SpreadSession
from rfstudio.app.state.analysis_session import AnalysisSession, Guess, Unit
from rfstudio.app.state.document import Document
from rfstudio.app.state.image_source import SHAPES, ImageSource
from rfstudio.app.state.object_boxes import ObjectBoxes
from rfstudio.app.state.selection import Selection
from rfstudio.app.state.settings import Settings
from rfstudio.core.fields.analysis import Analysis, LayerAnalysis
from rfstudio.core.network.architecture import Architecture, Layer
from rfstudio.core.ops import Conv
from rfstudio.formats.images.shaping import Shape


class Studio(QObject):
    """The document and everything that follows it.

    Parameters
    ----------
    architecture
        The network to begin with.
    path
        Its file, if it has one.
    settings
        What is remembered between runs; the user's own if None.
    runner
        Runs measurements beside the window in the worker; None: there are none.
    """

    def __init__(
        self,
        architecture: Architecture,
        path: Path | None = None,
        *,
        settings: Settings | None = None,
        runner: JobRunner | None = None,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.settings = settings or Settings()
        self.document = Document(architecture, path, self)
        self.analysis = AnalysisSession(self.document, self)
        self.selection = Selection(self.analysis, self)
        self.edits = LayerEdits(self.document, self.analysis, self.selection, self)
        self.images = ImageSource(self)
        self.images.set_size(architecture.input_size)
        shape = self.settings.text("image_shape", "crop")
        self.images.set_shape(next((x for x in SHAPES if x == shape), "crop"))
        self.document.architecture_changed.connect(
            lambda: self.analysis.once_known(self._give_size_to_images)
        )
        self.recent = RecentFiles(self.settings, self)
        self.runner = runner
        self.importing = Importing(runner, self)
        self.boxes = ObjectBoxes(self)
        self.advising = Advising(self.document, self.analysis, runner, self)
        self.erf_session: ErfSession | None = None
        self.following: UnitFollowing | None = None
        self.spread: SpreadSession | None = None
        self.attention: AttentionSession | None = None
        if runner is not None:
            self.erf_session = self._make_erf_session(runner)
            self.following = UnitFollowing(self.erf_session, self.analysis, self.selection, self)
            self.images.image_changed.connect(self._show_image_to_measurements)
            self.spread = SpreadSession(
                runner, self.erf_session, self.analysis, self.selection, self.boxes, self
            )
            self.attention = AttentionSession(
                runner, self.erf_session, self.analysis, self.selection, self.images, self
            )
        self.erf = ErfView(self.analysis, self.selection, self.erf_session, self)
        self.pins = Pins(self.document, self.analysis, self.selection, self.erf, self)
        self.erf_export = ErfExport(self.erf)
        self.analysis.foresee(self._foresee)
        self.analysis.once_known(self.select_informative_layer)

    def _give_size_to_images(self) -> None:
        self.images.set_size(self.document.architecture.input_size)

    def select_informative_layer(self) -> None:
        """Choose the centre unit of the deepest layer whose local field is worth seeing."""
        analysis = self.analysis.analysis
        unit = informative_unit(analysis)
        if unit is not None:
            self.selection.select_layer(*unit)
        elif any(isinstance(x, Layer) for x in self.document.architecture.layers):
            self.selection.select_layer(analysis.layers[-1].name)

    def _foresee(self) -> Guess:
        """Return what finds the unit that is chosen in a network that was just opened."""
        is_new = not self.document.undo_stack.count()
        return informative_unit if is_new else lambda _: None

    def set_image_shape(self, shape: Shape) -> None:
        """Crop, pad or stretch photos of another shape than the input, and remember that."""
        self.settings.set("image_shape", shape)
        self.images.set_shape(shape)

    def _make_erf_session(self, runner: JobRunner) -> ErfSession:
        options = remembered(self.settings)
        session = ErfSession(runner, self.analysis, self.selection, self, options=options)
        session.options_changed.connect(lambda changed: remember(self.settings, changed))
        return session

    def _show_image_to_measurements(self) -> None:
        if self.erf_session is not None:
            self.erf_session.set_image(self.images.pixels)
        if self.following is not None:
            self.following.look()

    def shutdown(self) -> None:
        """End what runs beside the window."""
        self.analysis.drop()
        self.erf.slices.drop()
        self.pins.drop()
        self.edits.drop()
        self.images.wait()
        if self.following is not None:
            self.following.switch(False)
        if self.runner is not None:
            self.runner.shutdown()
        if self.erf_session is not None:
            self.erf_session.close()
        self.settings.sync()


def informative_unit(analysis: Analysis) -> Unit | None:
    """Return the centre unit of the deepest layer whose local field is worth seeing.

    A convolution with positions, if there is one: that is what people ask about.  Where it is but a
    branch, and the merge of the branches sees more, the merge.
    """
    merges = []
    # From the end, since only a few of thousands of layers are looked at.
    for index in range(len(analysis.graph.nodes) - 1, 0, -1):
        layer = analysis.at(index)
        op = layer.operation
        if op is None or not (isinstance(op, Conv) or op.merges):
            continue
        if any(x.whole for x in layer.local_fields) or not all(n > 1 for n in layer.output_size):
            continue
        if not isinstance(op, Conv):
            merges.append(layer)
            continue
        chosen = next((x for x in merges if _sees_more(x, layer)), layer)
        return chosen.name, tuple(n // 2 for n in chosen.output_size)
    return None


def _sees_more(layer: LayerAnalysis, last: LayerAnalysis) -> bool:
    """Whether a layer after the last convolution has a larger local field."""
    if layer.local is None or last.local is None:
        return False
    return _area(layer.local.rf_size) > _area(last.local.rf_size)


def _area(sizes: Sequence[int | Fraction | None]) -> Fraction:
    return prod((Fraction(x or 0) for x in sizes), start=Fraction(1))
