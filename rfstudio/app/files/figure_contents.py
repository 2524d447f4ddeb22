"""What figures of the window show: collected when they are wanted, built beside the window."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from rfstudio.api.answer_figures import answer_of, with_readers, with_tiles
from rfstudio.api.attending import WITHOUT_EFFECT
from rfstudio.api.figures import (
    effective_size,
    frames_of,
    growths_of,
    lesson_content,
    panel_of,
    with_field,
)
from rfstudio.app.attention.session import AttentionSession
from rfstudio.app.effective.erf_options import ErfOptions
from rfstudio.app.effective.erf_view import ErfView
from rfstudio.app.effective.pins import Pin, Pins
from rfstudio.app.effective.shown_fields import EffectiveField
from rfstudio.app.experiments.session import experiments_folder
from rfstudio.app.files.figure_settings import FigureSettings
from rfstudio.app.files.presets import read_preset, shipped_names
from rfstudio.app.state.image_source import ImageSource
from rfstudio.app.wording.figure_snippets import (
    FigureRecipe,
    PanelRecipe,
    measuring_options,
    seen_from,
)
from rfstudio.app.wording.inline_networks import InlineNetworks
from rfstudio.core.fields.analysis import Analysis
from rfstudio.core.initialisations import other_law
from rfstudio.figures import Content, Convergence, FigureError, Panel, kind_of, render_kind
from rfstudio.figures.answers import Answer
from rfstudio.figures.attention import NO_ATTENTION
from rfstudio.figures.lesson import NO_LESSON

Points = Sequence[tuple[int, float]]


@dataclass
class Beside:
    """What other panels of the window show; the main window fills it in.

    Attributes
    ----------
    compared
        Returns the networks whose growth is drawn beside that of the document.
    has_sizes
        Returns whether the chart of growth shows effective sizes.
    points
        Returns samples and distances of the measurement, and whether it tends to the expected
        field exactly.
    lesson
        Returns the number of the lesson that is open, from 1; 0 if none is.
    attention
        What was measured of attention; None: nothing can be.
    slice_at
        Returns the slice of a volume that the canvas shows; None: it shows no volume.
    pixel
        Returns the pixel that units of the canvas read; None: the middle one.
    tiles
        Returns how many periods more than usual are in a tile of the canvas, and which tile is
        described, from 0.
    """

    compared: Callable[[], Sequence[tuple[str, Analysis]]] = tuple
    has_sizes: Callable[[], bool] = lambda: False
    points: Callable[[], tuple[Points, bool]] = lambda: ((), False)
    lesson: Callable[[], int] = lambda: 0
    attention: AttentionSession | None = None
    slice_at: Callable[[], int | None] = lambda: None
    pixel: Callable[[], tuple[int, ...] | None] = lambda: None
    tiles: Callable[[], tuple[int, int]] = lambda: (0, 0)


class FigureContents:
    """Collects what a figure shows.

    Parameters
    ----------
    erf, pins, images
        What the window shows.
    beside
        What other panels show.
    """

    def __init__(self, erf: ErfView, pins: Pins, images: ImageSource, beside: Beside) -> None:
        self._erf, self._pins, self._images = erf, pins, images
        self.beside = beside
        self._collect: dict[str, Callable[[], Callable[[], Content]]] = {
            "growth": self._growth,
            "comparison": self._several,
            "difference": self._several,
            "network": self._network,
            "convergence": self._convergence,
            "film": self._film,
            "attention": self._attention,
            "lesson": self._lesson,
            "tiles": self._tiles,
            "pixel": self._pixel,
        }

    def drawing(self, figure: FigureSettings) -> Callable[[str], bytes]:
        """Return what draws a figure of what is shown now, as a file with a given ending.

        It may be called on any thread, and raises `RFStudioError` if there is nothing to draw.
        """
        build = self._collect.get(figure.content, self._unit)()

        def draw(suffix: str) -> bytes:
            return render_kind(figure.content, build(), suffix, figure.style)

        return draw

    def recipe(self, figure: FigureSettings, word: str, inline: InlineNetworks) -> FigureRecipe:
        """Return what draws a figure of what is shown now, by names.

        Parameters
        ----------
        figure
            The figure.
        word
            The preset or file of the open network.
        inline
            Collects the other networks in it that have neither.

        Raises
        ------
        RFStudioError
            If nothing draws it again.
        """
        kind = kind_of(figure.content)
        recipe = FigureRecipe(kind=kind.word, style=figure.style)
        if kind.has_photo and (picture := self._images.picture) is not None:
            shape = "stretch" if kind.subjects == "lesson" else self._images.shape
            recipe = replace(recipe, image=picture.path, image_shape=shape)
        match kind.subjects:
            case "lesson":
                if not self.beside.lesson():
                    raise FigureError(NO_LESSON)
                return replace(recipe, networks=(str(self.beside.lesson()),))
            case "run":
                place = film_place()
                if place is None:
                    raise FigureError("no experiment with a film was run yet")
                return replace(recipe, networks=(str(place),))
            case "attention":
                return self._recipe_of_attention(recipe, word)
            case "answer":
                return self._recipe_of_answer(recipe, word)
            case "network":
                seen = seen_from(self._erf.shown.analysis)
                return replace(recipe, networks=(word,), seen_from=seen)
            case "networks":
                named = self._networks()
                seen = seen_from(named[0][1])
                if any(seen_from(x) != seen for _, x in named):
                    raise FigureError(
                        "networks that are looked at in different ways are drawn by the window "
                        "only: fields with respect to another layer, or batch norm in training"
                    )
                words = [self._word_of(*x, inline) for x in named[1:]]
                sizes = ("expected",) if self.beside.has_sizes() else ()
                names = tuple(name for name, _ in named)
                return replace(
                    recipe,
                    networks=(word, *words),
                    names=names,
                    estimators=sizes,
                    seen_from=seen,
                )
        return self._recipe_of_units(recipe, word, inline)

    def _recipe_of_attention(self, recipe: FigureRecipe, word: str) -> FigureRecipe:
        session = self.beside.attention
        if session is None or not session.layers:
            raise FigureError(NO_ATTENTION)
        options, image, unit = session.measured_with
        given = measuring_options(options, None)
        given = {x: y for x, y in given.items() if x not in WITHOUT_EFFECT}
        if image is not None or options.inputs == "folder":
            del given["samples"]  # one for each image
        else:
            given["samples"] = session.layers[0].options["samples"]
        return replace(
            recipe,
            networks=(word,),
            layer=session.layers[0].layer if len(session.layers) == 1 else "",
            unit=unit,
            image=image,
            options=given,
        )

    def _recipe_of_answer(self, recipe: FigureRecipe, word: str) -> FigureRecipe:
        shown = self._erf.shown
        given: dict[str, Any] = {}
        if recipe.kind == "pixel":
            given["pixel"] = self.beside.pixel()
        else:
            periods, chosen = self.beside.tiles()
            plan = with_tiles(self._answer(), periods=periods).plan
            if periods and plan is not None:
                given["tile"] = plan.tile
            given |= {"tile_number": chosen + 1} | self._slice_options(shown.analysis)
        return replace(
            recipe,
            networks=(word,),
            layer=shown.layer,
            options=given,
            seen_from=seen_from(shown.analysis),
        )

    def _answer(self) -> Answer:
        shown, picture = self._erf.shown, self._images.picture
        return answer_of(
            shown.analysis,
            shown.layer,
            image=None if picture is None else picture.pixels,
            image_shape=self._images.shape,
            slice_at=self._slice_of(shown.analysis),
        )

    def _tiles(self) -> Callable[[], Content]:
        answer, (periods, chosen) = self._answer(), self.beside.tiles()
        return lambda: Content(answer=with_tiles(answer, tile_number=chosen + 1, periods=periods))

    def _pixel(self) -> Callable[[], Content]:
        answer, pixel = self._answer(), self.beside.pixel()
        return lambda: Content(answer=with_readers(answer, pixel))

    def _recipe_of_units(
        self, recipe: FigureRecipe, word: str, inline: InlineNetworks
    ) -> FigureRecipe:
        shown = self._erf.complete()
        picture = self._images.picture
        image = None if picture is None else picture.path
        options = shown.measurement.options if shown.measured is not None else None
        if recipe.kind in ("comparison", "difference") and len(self._pins):
            own = _own(shown.analysis, shown.field, options, image)
            own |= self._slice_options(shown.analysis)
            pins = [
                PanelRecipe(
                    network=_source_of(x, inline),
                    layer=x.layer,
                    unit=x.unit,
                    options=_own(x.analysis, x.field, x.options, image)
                    | self._slice_options(x.analysis),
                )
                for x in self._pins
            ]
            chosen = PanelRecipe(network=word, layer=shown.layer, unit=shown.unit, options=own)
            titles = tuple(x.title for x in self._pins)
            return replace(
                recipe,
                panels=(*pins, chosen),
                names=(*titles, shown.analysis.architecture.name or "network"),
            )
        names: tuple[str, ...] = ("expected",) if shown.field is not None else ()
        if options is not None:
            names = (options.estimator,)
            if recipe.kind in ("comparison", "difference"):
                names = ("expected", options.estimator)
        given = _law(shown.field) if options is None else measuring_options(options, image)
        if recipe.kind != "convergence":
            given |= self._slice_options(shown.analysis)
        return replace(
            recipe,
            networks=(word,),
            layer=shown.layer,
            unit=shown.unit,
            estimators=names,
            options=given,
            seen_from=seen_from(shown.analysis),
        )

    def _word_of(self, name: str, analysis: Analysis, inline: InlineNetworks) -> str:
        """Return the preset or file of a compared network."""
        for pin in self._pins:
            if pin.text == name:
                return _source_of(pin, inline)
        if name in shipped_names() and read_preset(name) == analysis.architecture:
            return name  # a file may be called as a preset is
        return inline.word(f"network_{self._place(name)}", analysis.architecture)

    def _place(self, name: str) -> int:
        """Return the number of a network among those that are compared, from 2."""
        return [x for x, _ in self._networks()].index(name, 1) + 1

    def _slice_of(self, analysis: Analysis) -> int | None:
        """Return the slice that is on screen; None for an input of another size, or no volume."""
        is_same = analysis.reference_size == self._erf.shown.analysis.reference_size
        index = self.beside.slice_at() if is_same else None
        return None if index is None or index >= analysis.reference_size[0] else index

    def _slice_options(self, analysis: Analysis) -> dict[str, Any]:
        index = self._slice_of(analysis)
        return {} if index is None else {"slice_at": index}

    def chosen(self) -> Panel:
        """Return the chosen unit with the field that is shown."""
        shown = self._erf.complete()
        return self._panel(shown.analysis, shown.layer, shown.unit, shown.field)

    def _panel(
        self,
        analysis: Analysis,
        layer: str,
        unit: tuple[int, ...],
        field: EffectiveField | None,
    ) -> Panel:
        picture = self._images.picture
        panel = panel_of(
            analysis,
            layer,
            unit,
            image=None if picture is None else picture.pixels,
            image_shape=self._images.shape,
        )
        panel = replace(panel, slice_at=self._slice_of(analysis))
        if field is None:
            return panel
        # The label of a complete field follows from the field itself.
        is_full = field.name in ("expected", "measured")
        return with_field(panel, field.erf, "" if is_full else field.label)

    def _unit(self) -> Callable[[], Content]:
        return partial(Content, panels=(self.chosen(),))

    def _several(self) -> Callable[[], Content]:
        """Collect the pins and then the chosen unit; without pins both fields of the unit."""
        found = [
            replace(self._panel(x.analysis, x.layer, x.unit, x.field), name=x.title)
            for x in self._pins
        ]
        shown = self._erf.complete()
        chosen = self.chosen()
        if not found and shown.expected is not None and shown.measured is not None:
            found = [with_field(chosen, shown.expected.erf)]
        return partial(Content, panels=(*found, chosen))

    def _growth(self) -> Callable[[], Content]:
        panels = [Panel(analysis=x, name=name) for name, x in self._networks()]
        sizes = effective_size if self.beside.has_sizes() else None
        return lambda: Content(panels=tuple(panels), growths=growths_of(panels, sizes))

    def _networks(self) -> list[tuple[str, Analysis]]:
        analysis = self._erf.shown.analysis
        name = analysis.architecture.name or "this network"
        return [(name, analysis), *self.beside.compared()]

    def _network(self) -> Callable[[], Content]:
        analysis = self._erf.shown.analysis
        name = analysis.architecture.name or "network"
        return partial(Content, panels=(Panel(analysis=analysis, name=name),))

    def _convergence(self) -> Callable[[], Content]:
        points, is_exact = self.beside.points()
        shown = self._erf.shown
        options = shown.measurement.options
        unit = ", ".join(map(str, shown.unit))
        name = shown.analysis.architecture.name or "network"
        estimator = "measured" if options is None else options.estimator
        curve = Convergence(
            name=f"{name}, {shown.layer}, unit ({unit}), {estimator}",
            samples=tuple(x for x, _ in points),
            distances=tuple(x for _, x in points),
            is_exact=is_exact,
        )
        return partial(Content, curves=(curve,) if points else ())

    def _film(self) -> Callable[[], Content]:
        path = film_place()

        def build() -> Content:
            if path is None:
                raise FigureError("no experiment with a film was run yet; “context” is one")
            return Content(frames=frames_of(path))

        return build

    def _attention(self) -> Callable[[], Content]:
        session = self.beside.attention
        return partial(Content, attention=None if session is None else session.view())

    def _lesson(self) -> Callable[[], Content]:
        number, picture = self.beside.lesson(), self._images.picture
        if not number:
            return Content
        return partial(lesson_content, number, None if picture is None else picture.pixels)


def _source_of(pin: Pin, inline: InlineNetworks) -> str:
    return pin.source or inline.word(f"pin_{pin.letter}", pin.analysis.architecture)


def _own(
    analysis: Analysis,
    field: EffectiveField | None,
    options: ErfOptions | None,
    image: Path | None,
) -> dict[str, Any]:
    """Return what one of several units has of its own."""
    found = seen_from(analysis)
    if options is not None:
        return {"estimator": options.estimator, **found, **measuring_options(options, image)}
    return ({} if field is None else {"estimator": "expected"} | _law(field)) | found


def _law(field: EffectiveField | None) -> dict[str, Any]:
    """Return from what the weights of an expected field are drawn, where that is not the usual."""
    options = {} if field is None else field.erf.options
    return {"init": options["init"]} if other_law(options) else {}


def film_place() -> Path | None:
    """Return the newest ledger of the experiments that were run in the window, if there is one."""
    try:
        return max(experiments_folder().glob("*.jsonl"), key=lambda x: x.stat().st_mtime)
    except (OSError, ValueError):
        return None
