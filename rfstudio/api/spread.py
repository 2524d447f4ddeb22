"""How an effective field depends on the image: the field of one unit on each of several."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rfstudio.api.measuring import with_own_weights
from rfstudio.api.networks import Network, load, whole
from rfstudio.core.errors import RFStudioError
from rfstudio.core.metrics.spread import FieldSpread
from rfstudio.engine.process.torch_import import need_torch

if TYPE_CHECKING:
    import torch

    from rfstudio.engine.per_image.fields import PhotoSet
    from rfstudio.engine.process.running import CancelToken, Report
    from rfstudio.engine.requests.request import ErfRequest
    from rfstudio.formats.images.images import Image


def erf_spread(
    network: Network,
    layer: str,
    unit: tuple[int, ...] | None = None,
    *,
    images: str | Path,
    masks: str | Path | None = None,
    box: Sequence[tuple[int, int]] = (),
    draws: int = 8,
    module: torch.nn.Module | None = None,
    **options: Any,
) -> FieldSpread:
    """Measure the effective field of a unit on each image of a folder by itself.

    Parameters
    ----------
    network, layer, unit
        As in `rfstudio.erf`.
    images
        A folder of photos, or one of them.
    masks
        A folder of masks with the names of the photos, black beside the object.
    box
        First and last pixel of the object along each axis of the input, for all images instead.
    draws
        Draws of the random signs of "energy" on each image.
    module
        As in `rfstudio.erf`.
    **options
        Any other option of `rfstudio.engine.requests.request.ErfRequest`, by name: estimator, seed,
        weights, device …

    Returns
    -------
    FieldSpread
        `mean` and `deviation` (H, W), `fields` with the numbers and the map on each image, and
        `ordered`, the same by size.

    Raises
    ------
    RFStudioError
        If layer, unit, an option or a file does not fit; the text says which.

    Examples
    --------
    >>> from rfstudio import paths
    >>> found = erf_spread("vgg11", "conv2_1", images=paths.sample_images(), estimator="abs")
    >>> found.mean.shape, len(found.fields) > 1, found.ordered[0].box
    ((224, 224), True, ((109, 116), (109, 116)))
    """
    need_torch()
    from rfstudio.engine.requests.request import ErfRequest, refuse_unknown

    refuse_unknown(options)
    architecture = load(network, input_size=options.get("input_size"))
    position = None if unit is None else whole(unit)
    request = ErfRequest(architecture=architecture, layer=layer, unit=position, **options)
    if module is None:
        request, module = with_own_weights(request, is_chosen="weights" in options)
    photos = photo_set(Path(images), None if masks is None else Path(masks), box)
    return spread_of(request, photos, draws=draws, module=module)


def photo_set(
    images: Path, masks: Path | None = None, box: Sequence[tuple[int, int]] = ()
) -> PhotoSet:
    """Return the photos of a file or folder, with their masks or the box of their object.

    Raises
    ------
    RFStudioError
        If there are none, or no photo has a mask.
    """
    from rfstudio.engine.per_image.fields import PhotoSet
    from rfstudio.formats.images.images import read_image
    from rfstudio.formats.images.photos import photos_of

    photos = photos_of(images)
    files = [x.name for x in photos.files]
    if masks is None:
        return PhotoSet(files, photos, box=tuple((int(a), int(b)) for a, b in box))
    found = {x.stem: x for x in photos_of(masks).files}
    if not any(x.stem in found for x in photos.files):
        raise RFStudioError(f"no image of '{images}' has a mask of the same name in '{masks}'")
    of_photos = [found.get(x.stem) for x in photos.files]

    def mask_of(number: int) -> Image | None:
        path = of_photos[number]
        return None if path is None else read_image(path)

    return PhotoSet(files, photos, mask_of)


def spread_options(request: ErfRequest, found: FieldSpread) -> dict[str, Any]:
    """Return the options of a measurement on each image, for a record."""
    options = request.options()
    return {x: y for x, y in options.items() if x not in ("images", "samples")} | {
        "unit": list(found.unit)
    }


def spread_of(
    request: ErfRequest,
    photos: PhotoSet,
    *,
    draws: int = 8,
    module: torch.nn.Module | None = None,
    report: Report | None = None,
    token: CancelToken | None = None,
) -> FieldSpread:
    """Measure as a request says; see `rfstudio.engine.per_image.fields.measure_spread`."""
    need_torch()
    from rfstudio.engine.per_image.fields import measure_spread
    from rfstudio.engine.process.running import ignore

    return measure_spread(
        request, photos, draws=draws, module=module, report=report or ignore, token=token
    )
