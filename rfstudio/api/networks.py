"""Networks by name or file, their analysis, and one unit of them as a value."""

from __future__ import annotations

import operator
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, overload

from rfstudio.core.errors import RFStudioError, UnitError
from rfstudio.core.fields.analysis import Analysis, Fields
from rfstudio.core.fields.analysis import analyze as _analyze
from rfstudio.core.network.architecture import INPUT, Architecture
from rfstudio.core.network.expansion import MAX_LAYERS, expand
from rfstudio.core.network.graph import Graph
from rfstudio.core.network.inputs import with_first_input
from rfstudio.core.shown import Shown
from rfstudio.engine.process.torch_import import need_torch
from rfstudio.formats.files import is_there
from rfstudio.importing.reference import (
    PYTHON,
    is_exported_program,
    is_onnx,
    no_such_file,
    reference_of,
    without_a_name,
)
from rfstudio.importing.report import no_network

if TYPE_CHECKING:
    from torch import nn

    from rfstudio.importing.imported import Imported

Network: TypeAlias = "str | Path | Architecture | nn.Module"
"""A preset's name, the path of a file, a network itself, or a torch module.

Files are architecture files (YAML), exported programs (``.pt2``) and ONNX files.
"""


@overload
def load(
    network: Imported | nn.Module,
    *,
    input_size: tuple[int, ...] | None = None,
    trust: bool = False,
) -> Imported: ...


@overload
def load(
    network: Network, *, input_size: tuple[int, ...] | None = None, trust: bool = False
) -> Architecture: ...


def load(
    network: Network, *, input_size: tuple[int, ...] | None = None, trust: bool = False
) -> Architecture:
    """Return a network by the name of a preset, the path of a file, or as a torch module.

    Parameters
    ----------
    network
        What is meant; a network itself is returned as it is.
    input_size
        Size of the image along each axis, in pixels, that a module is imported for, or an ONNX
        file that leaves it open; others have a size of their own.
    trust
        Whether Python code may be run to make a module: ``"package.module:callable"`` or
        ``"file.py:callable"``.

    Raises
    ------
    FormatError
        If the file has mistakes; the error lists all of them with their places.
    RFStudioError
        If there is no such preset or file, a module comes without a size or cannot be imported,
        or code is named that is not trusted.

    Examples
    --------
    >>> network = load("vgg16")
    >>> network.name, network.input_size
    ('VGG-16', (224, 224))
    """
    if isinstance(network, Architecture):
        return network
    if not isinstance(network, str | Path):
        if "torch" not in sys.modules:  # without it there are no modules
            raise RFStudioError(no_network(network))
        from rfstudio.engine.importing.load import load_given

        return load_given(network, input_size)
    if isinstance(network, str) and (code := reference_of(network)) and not is_there(network):
        if code.is_file and not is_there(code.place):
            raise RFStudioError(no_such_file(code.place))
        if not trust:
            raise RFStudioError(
                f"'{network}' is code: {code.what_would_run()}; "
                "if you trust it, say so with --trust, or trust=True in Python"
            )
        if input_size is None:  # said before torch is loaded and the code runs
            raise RFStudioError(
                f"say for which size of image {code.name} is: --input-size 224 224, or "
                "input_size=(224, 224) in Python"
            )
        need_torch()
        from rfstudio.engine.importing.code import module_from
        from rfstudio.engine.importing.load import load_given

        return load_given(module_from(code), input_size)
    if str(network).endswith(PYTHON) and is_there(str(network)):
        raise RFStudioError(_without_a_name(str(network)))
    if is_exported_program(network) and is_there(str(network)):
        need_torch()
        from rfstudio.engine.importing.pt2 import load_pt2

        return load_pt2(Path(network))
    if is_onnx(network) and is_there(str(network)):
        from rfstudio.formats.onnx.load import load_onnx

        return load_onnx(Path(network), input_size)
    from rfstudio.formats.networks.presets import UnknownNetworkError, open_network

    try:
        return open_network(str(network))
    except UnknownNetworkError as error:
        if not is_there(f"{network}{PYTHON}"):
            raise
        raise RFStudioError(_without_a_name(f"{network}{PYTHON}")) from error


def _without_a_name(path: str) -> str:
    with Path(path).open(encoding="utf-8", errors="replace") as file:
        return without_a_name(path, file.read(_READ))


def presets() -> Presets:
    """Return the networks that come with the program: what each is, by the name for `load`.

    Examples
    --------
    >>> presets()["vgg16"].partition(".")[0]
    'Simonyan and Zisserman 2014, configuration D, without batch normalisation'
    """
    return Presets()


class Presets(Mapping[str, str], Shown):
    """What each network is that comes with the program, read when it is looked up."""

    def __getitem__(self, name: str) -> str:
        from rfstudio.formats.networks.presets import UnknownNetworkError, read_preset

        try:
            return read_preset(name).description
        except UnknownNetworkError as error:
            raise KeyError(str(error)) from None

    def __iter__(self) -> Iterator[str]:
        from rfstudio.formats.networks.presets import names

        return iter(names())

    def __len__(self) -> int:
        return len(tuple(iter(self)))

    def __repr__(self) -> str:
        return f"<{len(self)} networks: {', '.join(self)}>"


_READ = 100_000
"""Characters of a file of Python that are looked through for names."""


def architecture_of(
    network: Network | Analysis, input_size: tuple[int, ...] | None = None
) -> Architecture:
    """Return a network, also that of an analysis."""
    if isinstance(network, Analysis):
        return network.architecture
    return load(network, input_size=input_size)


def seen_from(
    network: Network | Analysis, name: str | None, size: tuple[int, ...] | None = None
) -> Network | Analysis:
    """Return a network with an input as its first one; None: as it is.

    Parameters
    ----------
    network
        What `load` takes or returns, or an analysis, whose input size then counts.
    name
        The input.
    size
        Size that images have, for networks that are imported at it.

    Raises
    ------
    GraphError
        If there is no such input.
    """
    if name is None:
        return network
    own = network.input_size if isinstance(network, Analysis) else None
    return with_first_input(architecture_of(network, size), name, own)


def analyze(
    network: Network,
    *,
    input_size: tuple[int, ...] | None = None,
    reference: str = INPUT,
    batch_norm_training: bool = False,
    ignore_gates: bool = False,
    previous: Analysis | None = None,
    max_layers: int = MAX_LAYERS,
) -> Analysis:
    """Return sizes, fields, costs and diagnostics of every layer of a network.

    Parameters
    ----------
    network
        What `load` takes or returns.
    input_size
        Size of the input along each axis, in pixels; the document's own if None.
    reference
        Layer or container path with respect to whose map all fields are given.
    batch_norm_training
        Whether batch norm takes its statistics from the map and so sees all of it.
    ignore_gates
        Whether gates and other operations that read a whole axis, but have a position for each
        position they read, count as one position in `path_fields` of layers.
    previous
        An earlier analysis; what did not change since is taken from it, which only saves time.
    max_layers
        Layers from which on the rest is left out, which a diagnostic reports.

    Raises
    ------
    UnknownLayerError
        If there is no layer `reference`.

    Examples
    --------
    >>> analysis = analyze("resnet50")
    >>> analysis["layer3"].rf_size, analysis["layer3"].jump
    ((267, 267), (16, 16))
    >>> len(analysis), analysis[0].name, [x.name for x in analysis[1:3]]
    (174, 'conv1', ['bn1', 'relu1'])
    """
    return _analyze(
        load(network, input_size=input_size),
        input_size=input_size,
        reference=reference,
        batch_norm_training=batch_norm_training,
        ignore_gates=ignore_gates,
        previous=previous,
        max_layers=max_layers,
    )


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit in the graph of its network.

    Attributes
    ----------
    graph
        The network.
    index, position
        Node and position of the unit.
    reference
        Node over whose map effective fields are.
    fields
        Theoretical fields of all nodes, if they are known already.
    """

    graph: Graph
    index: int
    position: tuple[int, ...]
    reference: int = 0
    fields: tuple[Fields, ...] | None = None


def unit_of(
    network: Network | Analysis,
    layer: str,
    position: tuple[int, ...] | None,
    input_size: tuple[int, ...] | None = None,
    *,
    training: bool = False,
) -> Unit:
    """Return a unit of a network, the centre unit if there is no position.

    Parameters
    ----------
    network
        What `load` takes or returns, or an analysis, whose graph and reference then count.
    layer, position
        Which unit; None: the centre unit, (h // 2, w // 2).
    input_size
        Size of the input; the network's own, or that of the analysis, if None.
    training
        Whether batch norm takes its statistics from the map.

    Raises
    ------
    UnknownLayerError, UnitError
        If there is no such layer, or a position that is not made of whole numbers.
    RFStudioError
        If an analysis is given with another input size.
    """
    reference, known = 0, None
    if isinstance(network, Analysis):
        if input_size not in (None, network.input_size):
            raise RFStudioError("the analysis is of another input size; analyse the network at it")
        graph, reference, known = network.graph, network.reference, network.fields
        if training and not network.batch_norm_training:
            graph = expand(network.architecture, network.input_size, batch_norm_training=True)
            known = None
    else:
        graph = expand(
            load(network, input_size=input_size), input_size, batch_norm_training=training
        )
    index = graph.index(layer)
    size = graph.nodes[index].size
    unit = tuple(n // 2 for n in size) if position is None else whole(position)
    return Unit(graph, index, unit, reference, known)


def whole(unit: tuple[int, ...]) -> tuple[int, ...]:
    """Return the position of a unit as plain numbers.

    Raises
    ------
    UnitError
        If it has entries that are not whole: rounding would give the field of another unit.
    """
    try:
        return tuple(map(operator.index, unit))
    except TypeError:
        raise UnitError(f"a unit has one whole number per axis, not {unit!r}") from None
