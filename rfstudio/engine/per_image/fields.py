"""Measures the field of one unit on each image by itself, with the same weights on all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from rfstudio.core.fields.unit_frame import UnitFrame
from rfstudio.core.initialisations import initialisation
from rfstudio.core.metrics.metrics import Metrics
from rfstudio.core.metrics.spread import FieldSpread, ImageField, RunningSpread, slices
from rfstudio.engine.measuring.erf import measure_units
from rfstudio.engine.measuring.estimators import SIGNED
from rfstudio.engine.measuring.network import set_from_file, set_from_model
from rfstudio.engine.measuring.sampling import Images, prepared
from rfstudio.engine.module.build import GraphModule, to_torch
from rfstudio.engine.process.errors import MeasurementError
from rfstudio.engine.process.running import CancelToken, Report, ignore
from rfstudio.engine.requests.request import OWN_WEIGHTS, ErfRequest, ErfResult

DRAWS = 8
"""Draws of signs on an image, if their number is not given."""

_REPEATS = 4
"""Measurements of one image with other signs, from which their noise is estimated."""

MAX_MAPS = 2**26
"""Bytes of maps that are returned; of further images there are only numbers."""

Pixels = NDArray[np.uint8]
Unit = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class PhotoSet:
    """Images with their names and, perhaps, where an object is on them.

    Attributes
    ----------
    names
        One an image.
    photos
        (H, W, 3), 8 bit; they may be read when they are accessed.
    mask_of
        Returns the mask of an image by its number, (H, W, 3) and black beside the object; None:
        the image has none.
    box
        First and last pixel of the object along each axis of the input, the same on all images.
    """

    names: Sequence[str]
    photos: Sequence[Pixels]
    mask_of: Callable[[int], Pixels | None] = lambda _: None
    box: tuple[tuple[int, int], ...] = ()


def measure_spread(
    request: ErfRequest,
    photos: PhotoSet,
    *,
    draws: int = DRAWS,
    module: nn.Module | None = None,
    token: CancelToken | None = None,
    report: Report = ignore,
) -> FieldSpread:
    """Measure the field of one unit on each image.

    Parameters
    ----------
    request
        The unit and all options; its images and samples are ignored.  Random weights are drawn once
        and are the same on all images.
    photos
        The images.
    draws
        Draws of signs on each image; estimators without signs need one.
    module
        A network with its weights, instead of one built from the request.
    token
        Polled between images.
    report
        Receives the fraction done and the fields so far, without their maps.

    Raises
    ------
    RFStudioError
        As `rfstudio.engine.measuring.erf.measure`.
    Cancelled
        If `token` was cancelled.
    """
    token = token or CancelToken()
    if not photos.photos:
        raise MeasurementError("there are no images")
    draws = draws if request.estimator in SIGNED and request.channel is None else 1
    module = _module_of(request, photos.photos) if module is None else module
    run = _Spread(request, module, draws)
    noise = 0.0
    for number, name in enumerate(photos.names):
        token.check()
        image = prepared(photos.photos[number], run.channels, run.size)
        on_object = run.object_of(photos, number)
        run.add(name, image, on_object)
        if number == 0 and draws > 1:
            noise = run.noise(image)
        bare = tuple(replace(x, map=None) for x in run.fields)
        report((number + 1) / len(photos.names), bare)
    spread = run.running
    return FieldSpread(
        layer=run.layer,
        unit=run.unit,
        size=run.size,
        fields=tuple(run.fields),
        mean=spread.mean,
        deviation=spread.deviation,
        noise=noise,
        draws=draws,
    )


def _module_of(request: ErfRequest, photos: Sequence[Pixels]) -> nn.Module:
    """Return the network of a request with weights that do not change."""
    weights = request.weights
    warmed: bool = request.batch_norm != "fresh"
    module = to_torch(
        request.architecture,
        request.layer,
        request.seed,
        weights="uniform" if weights == "uniform" else "random",
        init=request.init,
        input_size=request.input_size,
        batch_norm="warmed" if warmed else "fresh",
    )
    if weights not in ("random", "uniform"):
        node = module.graph.nodes[0]
        images = Images(node.channels, node.size, request.seed, photos)
        init = initialisation(request.init)
        if weights == OWN_WEIGHTS:
            set_from_model(module, request.seed, request.batch_norm, images, init)
        else:
            set_from_file(module, weights, request.seed, request.batch_norm, images, init)
    return module.eval()


class _Spread:
    """The fields so far."""

    def __init__(self, request: ErfRequest, module: nn.Module, draws: int) -> None:
        network = GraphModule(request.architecture, request.layer, input_size=request.input_size)
        self._graph = network.graph
        node = self._graph.nodes[network.target]
        self._node = node
        self.layer = node.name
        self.channels, self.size = self._graph.nodes[0].channels, self._graph.nodes[0].size
        self.unit = request.unit or tuple(n // 2 for n in node.size)
        self._request = replace(request, images=(), weights="random", samples=draws, unit=self.unit)
        self._module = module
        self._draws = draws
        self.running = RunningSpread(self.size)
        self.fields: list[ImageField] = []
        self._bytes = 0

    def add(self, name: str, image: Tensor, on_object: NDArray[np.bool_] | None) -> None:
        """Measure one image."""
        units = [self.unit]
        if on_object is not None:
            units += [x for x in self._units_on(on_object) if x is not None]
        results = self._measured(image, units)
        result = results[0]
        frame = self._frame(self.unit)
        box = frame.visible_region
        if box is None:
            raise MeasurementError(f"unit {self.unit} of '{self.layer}' sees nothing of the image")
        inner = result.map[slices(box)]
        metrics = Metrics(result.map, frame)
        self.running.add(inner, box)
        stored = inner.astype(np.float32)
        self._bytes += stored.nbytes
        field = ImageField(
            name=name,
            map=stored if self._bytes <= MAX_MAPS else None,
            box=box,
            sigma=_sigma(metrics),
            luo_size=metrics.luo_size,
            fwhm=metrics.fwhm,
            strength=float(inner.sum()),
        )
        if on_object is not None:
            inside = on_object[slices(box)]
            others = iter(results[1:])
            sigmas = [
                None if unit is None else _sigma(Metrics(next(others).map, self._frame(unit)))
                for unit in self._units_on(on_object)
            ]
            total = field.strength
            field = replace(
                field,
                object_share=float(inner[inside].sum()) / total if total > 0 else None,
                object_area=float(inside.mean()),
                on_object=sigmas[0],
                on_background=sigmas[1],
            )
        self.fields.append(field)

    def noise(self, image: Tensor) -> float:
        """Return the standard deviation of σ that other signs on one image give."""
        found = []
        for number in range(1, _REPEATS + 1):
            # Other signs alone: the weights are given.
            (result,) = self._measured(image, [self.unit], seed=self._request.seed + number)
            found.append(_sigma(Metrics(result.map)))
        values = [x for x in (*found, self.fields[0].sigma) if x is not None]
        return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0

    def object_of(self, photos: PhotoSet, number: int) -> NDArray[np.bool_] | None:
        """Return where the object of an image is, at the size of the input; None: nowhere."""
        if photos.box:
            if len(photos.box) != len(self.size):
                raise MeasurementError(f"the box must have {len(self.size)} runs of pixels")
            found = np.zeros(self.size, bool)
            found[slices(photos.box)] = True
        else:
            mask = photos.mask_of(number)
            if mask is None:
                return None
            white = np.where(mask.any(2, keepdims=True), 255, 0).astype(np.uint8).repeat(3, 2)
            half = prepared(np.full((2, 2, 3), 128, np.uint8), 1, self.size)
            found = (prepared(white, 1, self.size) >= half)[0].numpy()
        return found if found.any() else None

    def _measured(
        self, image: Tensor, units: Sequence[Unit], seed: int | None = None
    ) -> list[ErfResult]:
        request = self._request if seed is None else replace(self._request, seed=seed)
        images = image[None].expand(self._draws, *image.shape)
        return measure_units(request, units, module=self._module, images=images)

    def _frame(self, unit: Unit) -> UnitFrame:
        return UnitFrame(self._graph, self._node.index, unit)

    def _units_on(self, on_object: NDArray[np.bool_]) -> tuple[Unit | None, Unit | None]:
        """Return the unit nearest to the object's middle, and one on the background.

        That on the background is, of all units whose centre is beside the object, the one with the
        distance to the border of the image that is nearest to that of the first: borders make
        fields smaller, which is not the object's doing; of several the farthest from the object.
        """
        places = [np.arange(n) for n in self._node.size]
        grid = np.stack(np.meshgrid(*places, indexing="ij"), -1).reshape(-1, len(places))
        if len(grid) < 2:
            return None, None
        # Centres from the unit's frame are exact; all others are a jump away.
        scale = np.array(self.size) / np.array(self._node.size)
        pixels = np.clip((grid + 0.5) * scale, 0, np.array(self.size) - 1).astype(int)
        inside = on_object[tuple(pixels.T)]
        middle = np.argwhere(on_object).mean(0)
        distance = np.linalg.norm(pixels - middle, axis=1)
        if not inside.any() or inside.all():
            return None, None
        first = int(np.where(inside, distance, np.inf).argmin())
        border = np.minimum(pixels, np.array(self.size) - 1 - pixels).min(1)
        unlike = np.abs(border - border[first]).astype(float)
        least = unlike[~inside].min()
        fits = ~inside & (unlike <= least)
        second = int(np.where(fits, distance, -1.0).argmax())
        return tuple(grid[first].tolist()), tuple(grid[second].tolist())


def _sigma(metrics: Metrics) -> float | None:
    sigma = metrics.sigma
    return None if sigma is None else float(np.mean(sigma))
