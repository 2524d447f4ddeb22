"""Figures for print: of one unit, of several, of networks, of measurements and trainings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from functools import cache, partial
from math import nan
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from rfstudio.api.answer_figures import answer_of, with_readers, with_tiles
from rfstudio.api.convergence import convergence_of
from rfstudio.api.expected import expected_erf, path_counts
from rfstudio.api.lessons import LESSONS
from rfstudio.api.measured import MeasuredErf
from rfstudio.api.measuring import COMPUTED, is_chosen, measure, with_own_weights
from rfstudio.api.networks import Network, analyze, load, whole
from rfstudio.core.errors import RFStudioError
from rfstudio.core.fields.analysis import Analysis
from rfstudio.core.initialisations import DEFAULT, other_law
from rfstudio.core.metrics.metrics import measured_peak
from rfstudio.core.network.architecture import INPUT, Architecture
from rfstudio.engine.requests.request import ESTIMATORS
from rfstudio.figures.answers import Answer
from rfstudio.figures.attention import AttentionView
from rfstudio.figures.convergence import Convergence
from rfstudio.figures.film import Frame
from rfstudio.figures.growth import Growth, growth_of
from rfstudio.figures.kinds import Content, Kind, kind_of, render_kind
from rfstudio.figures.lesson import LessonText
from rfstudio.figures.panel import Panel
from rfstudio.figures.style import FigureStyle
from rfstudio.formats.files import atomic_write
from rfstudio.formats.images.shaping import Shape, shaped

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from rfstudio.core.effective.expected import Erf
    from rfstudio.core.shown import Photo
    from rfstudio.engine.requests.request import ErfRequest, Estimator

Shot: TypeAlias = (
    "tuple[Network, str] | tuple[Network, str, tuple[int, ...] | None]"
    " | tuple[Network, str, tuple[int, ...] | None, Mapping[str, Any]]"
)
"""A network, a layer, a unit of its map (None: the centre unit), and options of its own."""

SEEN_FROM = ("reference", "batch_norm_training")
"""Options of the analysis that a figure is drawn from."""

_STYLE = frozenset(x.name for x in fields(FigureStyle))


@dataclass(frozen=True, eq=False, repr=False)
class PrintFigure:
    """A figure that is ready to be written.

    Attributes
    ----------
    kind
        One of `rfstudio.figures.KINDS`.
    content
        What it shows.
    style
        How it is drawn.
    """

    kind: str
    content: Content
    style: FigureStyle

    def render(self, suffix: str) -> bytes:
        """Return the bytes of a file: ".png", ".svg" or ".pdf"."""
        return render_kind(self.kind, self.content, suffix, self.style)

    def save(self, path: str | Path) -> None:
        """Write a file, by the ending of its name.

        Raises
        ------
        RFStudioError
            If the ending is unknown, there is nothing to draw, or the file cannot be written.
        """
        atomic_write(Path(path), self.render(Path(path).suffix))

    def __repr__(self) -> str:
        return f"<figure of {kind_of(self.kind).title.lower()}, {self.style.width_mm:g} mm wide>"

    def _repr_png_(self) -> bytes:
        return replace(self, style=replace(self.style, dpi=130)).render(".png")


def figure(
    kind: str = "fields",
    *networks: Network | int,
    panels: Sequence[Shot] = (),
    layer: str | Sequence[str] | None = None,
    unit: tuple[int, ...] | None = None,
    estimator: str | Sequence[str] | None = None,
    names: Sequence[str] = (),
    image: Photo | None = None,
    image_shape: Shape = "stretch",
    input_size: tuple[int, ...] | None = None,
    **options: Any,
) -> PrintFigure:
    """Return a figure for print.

    Parameters
    ----------
    kind
        "fields": what a unit sees, on the image; "field": its effective field with sections;
        "comparison" and "difference": several units side by side; "network": a diagram; "growth":
        sizes against depth; "convergence": of measurements; "film": of a training; "attention": of
        a query, by head of the layer, or by layer if it is of several or of all; "tiles" of the
        input, and "pixel": which units of a layer (the last, if none is named) read one; "lesson".
    *networks
        What `load` takes or returns.  For a film the folder or ledger of an experiment, for a
        lesson its number.
    panels
        Units of networks, one by one: (network, layer) or (network, layer, unit), and as a fourth
        entry what differs for it among `estimator`, `reference`, `batch_norm_training`,
        `slice_at` and the options of `erf`.  Without them, each layer of each network.
    layer
        Layer or container path, or several.
    unit
        Position in the layer's map; None: the centre unit.
    estimator
        Of the effective field, as `erf` has them, or several; None: "expected" where the kind
        needs a field, otherwise none is drawn.  For "growth", any adds effective sizes.
    names
        What panels and then networks are called, in this order; their own names if empty.
    image
        A photo that is drawn below: a file, or (h, w) or (h, w, 3) bytes.  Attention is measured
        on it, unless `images` are given.
    image_shape
        How the photo is brought to the shape of the input: "crop", "pad" or "stretch".
    input_size
        Size of the input along each axis; the networks' own if None.
    **options
        Of `rfstudio.figures.FigureStyle`: width_mm, dpi, theme, scale, colour, caption, legend,
        axes, dim; of `analyze`: reference, batch_norm_training; of `erf`: samples, seed, weights,
        device and so on; and slice_at, the slice of an input of three axes that is drawn, from 0;
        None: the middle one of what the unit sees.  Of "tiles": tile, their largest size with
        overlaps, and tile_number, the one with frames, from 1.  Of "pixel": pixel, its position;
        None: the middle one.

    Returns
    -------
    PrintFigure
        `save` writes it as PNG, SVG or PDF; a notebook shows it.

    Raises
    ------
    RFStudioError
        If there is no such kind, layer, unit or option, or nothing to draw.

    Examples
    --------
    >>> made = figure("field", "vgg16", layer="conv3_3", width_mm=85)
    >>> made.render(".svg").startswith(b"<?xml")
    True
    """
    known = kind_of(kind)
    style = FigureStyle(**{x: options.pop(x) for x in tuple(options) if x in _STYLE})
    if known.subjects == "run":
        return PrintFigure(kind, Content(frames=frames_of(_only(networks, known))), style)
    if known.subjects == "lesson":
        return PrintFigure(kind, lesson_content(_only(networks, known), _photo(image)), style)
    if known.subjects == "attention":
        only = _only(networks, known)
        looked = _attention(
            only, _listed(layer), unit, _photo(image), image_shape, input_size, options
        )
        return PrintFigure(kind, Content(attention=looked), style)
    if known.subjects == "answer":
        only = _only(networks, known)
        asked = _answer(
            kind, only, _listed(layer), _photo(image), image_shape, input_size, names, options
        )
        return PrintFigure(kind, Content(answer=asked), style)
    common: dict[str, Any] = {
        "reference": INPUT,
        "batch_norm_training": False,
        "slice_at": None,
        **options,
    }
    shots = _shots(known, networks, panels, _listed(layer), unit, names)
    read = cache(partial(_seen, input_size=input_size))
    photo, drawn, curves = _photo(image), [], []
    for shot in shots:
        given = {**common, **shot.options}
        seen = {x: given.pop(x) for x in SEEN_FROM}
        drawn_slice = given.pop("slice_at")
        estimators = _listed(given.pop("estimator", None) or estimator or _usual(known))
        network, path = shot.network, shot.layer
        is_named = isinstance(network, str | Path)
        analysis = (read if is_named else partial(_seen, input_size=input_size))(network, **seen)
        name = shot.name or _name(analysis, network)
        if path is None:
            drawn.append(Panel(analysis=analysis, name=name))
            continue
        view = analysis.unit(path, None if shot.unit is None else whole(shot.unit))
        panel = panel_of(analysis, path, view.position, image=photo, image_shape=image_shape)
        panel = replace(panel, name=name, slice_at=drawn_slice)
        if kind == "convergence":
            curves += [_curve(panel, x, given) for x in estimators]
            continue
        drawn += [with_field(panel, _field(panel, x, given)) for x in estimators] or [panel]
    sizes = effective_size if kind == "growth" and estimator is not None else None
    return PrintFigure(
        kind,
        Content(
            panels=tuple(drawn),
            curves=tuple(curves),
            growths=growths_of(drawn, sizes) if known.subjects == "networks" else (),
        ),
        style,
    )


@dataclass(frozen=True, kw_only=True)
class _Shot:
    """What one part of a figure is made of; a figure of whole networks has no layers."""

    network: Network
    layer: str | None
    unit: tuple[int, ...] | None
    name: str
    options: Mapping[str, Any]


def _shots(
    kind: Kind,
    networks: Sequence[Network | int],
    panels: Sequence[Shot],
    layers: Sequence[str],
    unit: tuple[int, ...] | None,
    names: Sequence[str],
) -> list[_Shot]:
    """Return the parts of a figure: its panels, then each layer of each network."""
    is_unit = kind.subjects in ("unit", "units")
    called = iter(names)
    found = [
        _Shot(
            network=panel[0],
            layer=panel[1] if is_unit else None,
            unit=panel[2] if len(panel) > 2 else None,
            name=next(called, ""),
            options=panel[3] if len(panel) > 3 else {},
        )
        for panel in panels
    ]
    for network in networks:
        if isinstance(network, int):
            raise RFStudioError(f"{network} is no network; only a lesson has a number")
        label = next(called, "")
        paths: Sequence[str | None] = layers if is_unit else [None]
        found += [_Shot(network=network, layer=x, unit=unit, name=label, options={}) for x in paths]
    if not found:
        missing = "a network and a layer" if is_unit else "a network"
        raise RFStudioError(f"a figure of kind '{kind.word}' needs {missing}")
    return found


def _seen(network: Network, *, input_size: tuple[int, ...] | None, **seen: Any) -> Analysis:
    return analyze(load(network, input_size=input_size), **seen)


def _usual(kind: Kind) -> str | None:
    """Return the estimator of a kind that cannot be drawn without one."""
    if kind.word == "convergence":
        return "energy"
    return "expected" if kind.needs_field else None


def panel_of(
    analysis: Analysis,
    layer: str,
    unit: tuple[int, ...],
    field: Erf | None = None,
    *,
    image: NDArray[np.uint8] | None = None,
    image_shape: Shape = "stretch",
) -> Panel:
    """Return the panel of a unit, as window, command line and Python draw it."""
    if image is not None:
        image = shaped(image, analysis.input_size, image_shape)
    panel = Panel(
        analysis=analysis,
        name=analysis.architecture.name or "network",
        layer=layer,
        unit=unit,
        image=image,
    )
    return panel if field is None else with_field(panel, field)


def with_field(panel: Panel, field: Erf, label: str = "") -> Panel:
    """Return a panel with an effective field; `label` says how it came about, if it is not full."""
    if isinstance(field, MeasuredErf):
        words = f"measured ({field.estimator}, {field.run.samples} samples)"
        peak: float | None = measured_peak(field.map)
    else:
        exactness = "exact" if field.exact else "approximate"
        words, peak = f"{field.estimator} ({exactness})", None
    law = other_law(field.options)
    words = f"effective field, {label or words}{law and f'; {law}'}"
    return replace(panel, erf=field, erf_label=words, erf_peak=peak)


def growths_of(
    panels: Iterable[Panel], effective: Callable[[Analysis, str], float] | None = None
) -> tuple[Growth, ...]:
    """Return the curves of networks, with effective sizes if there is what finds them."""
    return tuple(
        growth_of(x.name, x.analysis, None if effective is None else partial(effective, x.analysis))
        for x in panels
    )


def effective_size(analysis: Analysis, layer: str) -> float:
    """Return the size of the expected field of a layer's centre unit; NaN where there is none."""
    try:
        size = expected_erf(analysis, layer).metrics.luo_size
    except RFStudioError:
        return nan
    return nan if size is None else float(size)


def frames_of(place: str | Path | Network | int) -> tuple[Frame, ...]:
    """Return the frames of the films in the folder or ledger of an experiment.

    Raises
    ------
    RFStudioError
        If there is no such ledger.
    """
    from rfstudio.formats.experiments.ledger import read_rows

    if not isinstance(place, str | Path):
        raise RFStudioError("a film is drawn from the folder or the ledger of an experiment")
    found = []
    for row in read_rows(Path(place)):
        step, sigma = row.cells.get("step"), row.cells.get("sigma")
        if row.map is not None and isinstance(step, int | float):
            words = f"σ {sigma:.3g} px" if isinstance(sigma, int | float) else ""
            film = str(row.cells.get("series", "training"))
            found.append(Frame(film=film, step=step, map=row.map, words=words))
    return tuple(found)


def lesson_content(number: Network | int, image: NDArray[np.uint8] | None = None) -> Content:
    """Return the content of a lesson by its number, from 1.

    Raises
    ------
    RFStudioError
        If there is no such lesson.
    """
    text = str(number)
    if not text.isdecimal() or not 1 <= int(text) <= len(LESSONS):
        raise RFStudioError(f"a lesson is a number from 1 to {len(LESSONS)}, not '{text}'")
    lesson = LESSONS[int(text) - 1]
    analysis = analyze(lesson.architecture())
    unit = analysis.unit(lesson.layer).position
    panel = panel_of(analysis, lesson.layer, unit, image=image)
    with suppress(RFStudioError):  # a unit without an effective field is shown without one
        panel = with_field(panel, expected_erf(analysis, lesson.layer, unit))
    parts = (
        ("See", lesson.look),
        ("Change", lesson.change),
        ("Why", lesson.why),
        ("Source", lesson.source),
    )
    words = LessonText(title=f"{text}. {lesson.title}", parts=parts)
    return Content(panels=(panel,), lesson=words)


def _only(networks: Sequence[Network | int], kind: Kind) -> Network | int:
    if len(networks) != 1:
        what = _ONE_OF[kind.subjects]
        raise RFStudioError(f"a figure of kind '{kind.word}' is drawn of {what}")
    return networks[0]


def _attention(
    network: Network | int,
    layers: Sequence[str],
    unit: tuple[int, ...] | None,
    photo: NDArray[np.uint8] | None,
    shape: Shape,
    input_size: tuple[int, ...] | None,
    options: dict[str, Any],
) -> AttentionView:
    """Measure the attention of a figure on its photo, or on the images of the options."""
    from rfstudio.api.attending import attention_figure
    from rfstudio.formats.images.photos import photos_of

    if isinstance(network, int):
        raise RFStudioError(f"{network} is no network; only a lesson has a number")
    given = dict(options)
    images = given.pop("images", None)
    read = load(network, input_size=input_size)
    photos: Sequence[NDArray[np.uint8]] = () if images is None else photos_of(Path(images))
    if images is None and photo is not None and read.axes > 1:
        photos = (shaped(photo, input_size or read.input_size, shape),)
    return attention_figure(
        read, layers or None, unit, photos=photos, input_size=input_size, **given
    )


def _answer(
    kind: str,
    network: Network | int,
    layers: Sequence[str],
    photo: NDArray[np.uint8] | None,
    shape: Shape,
    input_size: tuple[int, ...] | None,
    names: Sequence[str],
    options: Mapping[str, Any],
) -> Answer:
    """Return the tiles, or the units that read a pixel, of a figure."""
    if isinstance(network, int):
        raise RFStudioError(f"{network} is no network; only a lesson has a number")
    if len(layers) > 1:
        raise RFStudioError(f"a figure of kind '{kind}' is drawn of one layer")
    given = dict(options)
    seen = {x: given.pop(x) for x in SEEN_FROM if x in given}
    analysis = _seen(network, input_size=input_size, **seen)
    known = ("slice_at", "tile", "tile_number") if kind == "tiles" else ("pixel",)
    if unknown := given.keys() - set(known):
        raise RFStudioError(f"a figure of kind '{kind}' has no option {', '.join(sorted(unknown))}")
    layer = layers[0] if layers else analysis.graph.nodes[-1].name
    index = given.pop("slice_at", None)
    answer = answer_of(analysis, layer, image=photo, image_shape=shape, slice_at=index)
    answer = replace(answer, name=names[0] if names else _name(analysis, network))
    return with_tiles(answer, **given) if kind == "tiles" else with_readers(answer, **given)


_ONE_OF = {
    "answer": "one network",
    "run": "the folder of an experiment",
    "lesson": "the number of a lesson",
    "attention": "one network",
}


def _listed(words: str | Sequence[str] | None) -> list[str]:
    if words is None:
        return []
    return [words] if isinstance(words, str) else list(words)


def _name(analysis: Analysis, network: Network) -> str:
    named = network.name if isinstance(network, Architecture) else network
    return analysis.architecture.name or (named if isinstance(named, str) else "") or "network"


def _field(panel: Panel, estimator: str, options: dict[str, Any]) -> Erf:
    if estimator == "path-count":
        return path_counts(panel.analysis, panel.layer, panel.unit)
    if estimator == "expected":
        return _expected(panel, options)
    if estimator not in ESTIMATORS:
        raise RFStudioError(
            f"an estimator is one of {', '.join((*ESTIMATORS, *COMPUTED))}, not {estimator!r}"
        )
    request = _request(panel, estimator, options)
    request, module = with_own_weights(request, is_chosen=is_chosen(options))
    return measure(request, module=module)


def _expected(panel: Panel, options: dict[str, Any]) -> Erf:
    init = options.get("init", DEFAULT)
    return expected_erf(panel.analysis, panel.layer, panel.unit, init=init)


def _request(panel: Panel, estimator: str, options: dict[str, Any]) -> ErfRequest:
    """Return the measurement of a unit, on noise or on the photos of a file or folder."""
    from rfstudio.engine.process.torch_import import need_torch
    from rfstudio.engine.requests.request import ErfRequest, refuse_unknown
    from rfstudio.formats.images.photos import photos_of

    need_torch()
    given = dict(options)
    images = given.pop("images", None)
    refuse_unknown(given)
    if images is not None:
        given["images"] = photos_of(Path(images))
    return ErfRequest(
        architecture=panel.analysis.architecture,
        input_size=panel.analysis.input_size,
        layer=panel.layer,
        unit=panel.unit,
        estimator=cast("Estimator", estimator),  # which has been checked
        **given,
    )


def _curve(panel: Panel, estimator: str, options: dict[str, Any]) -> Convergence:
    expected = _expected(panel, options)
    points = convergence_of(_request(panel, estimator, options), expected)
    return Convergence(
        name=f"{panel.title}, {estimator}",
        samples=tuple(x for x, _ in points),
        distances=tuple(x for _, x in points),
        is_exact=expected.exact,
    )


def _photo(image: Photo | None) -> NDArray[np.uint8] | None:
    from rfstudio.api.notebook import photo_of

    return photo_of(image)
