"""Idioms of hand-written modules, each against NaN in the image of the module itself."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from torch import Tensor, nn

from rfstudio.core.fields.analysis import analyze
from rfstudio.engine.importing.load import load_module
from rfstudio.formats.networks.yaml_reader import read_yaml
from rfstudio.formats.networks.yaml_writer import write_yaml
from tests.engine.importing.idioms import IDIOMS


def _reached(
    module: nn.Module, shape: tuple[int, ...], paths: list[str]
) -> dict[str, list[Tensor]]:
    """Return for each submodule and axis which lines of the image reach which unit.

    NaN in a line of the image comes out of all that read it; no graph is involved.
    """
    found: dict[str, list[Tensor]] = {x: [] for x in paths}
    handles = [
        module.get_submodule(x).register_forward_hook(
            lambda _m, _i, y, x=x: outputs.__setitem__(x, y.isnan())
        )
        for x in paths
    ]
    for axis, n in enumerate(shape[1:]):
        outputs: dict[str, Tensor] = {}
        lines = []
        for i in range(n):
            image = torch.rand((1, *shape), generator=torch.Generator().manual_seed(0))
            image.narrow(2 + axis, i, 1).fill_(torch.nan)
            with torch.no_grad():
                module(image)
            lines.append({x: outputs[x][0].any(0) for x in paths})
        for x in paths:
            found[x].append(torch.stack([line[x] for line in lines]))
    for handle in handles:
        handle.remove()
    return found


@pytest.mark.parametrize("kind", IDIOMS)
def test_that_all_units_see_what_nan_in_the_image_says(kind) -> None:
    torch.manual_seed(0)
    module, shape = kind().eval(), IDIOMS[kind]
    paths = [x for x, _ in module.named_children() if x in ("a", "b", "c", "d", "first", "up")]
    network = load_module(module, shape[1:])
    assert not network.report.of("global")
    analysis = analyze(network)
    assert not analysis.graph.faults
    for path, reached in _reached(module, shape, paths).items():
        size = analysis[path].output_size
        assert size == tuple(reached[0].shape[1:])
        step = max(1, max(size) // 6)
        for unit in product(*[range(0, n, step) for n in size]):
            lines = [x.movedim(0, -1)[unit].nonzero().flatten() for x in reached]
            wanted = tuple((int(x[0]), int(x[-1])) for x in lines) if all(map(len, lines)) else None
            assert analysis.unit(path, unit).visible_region == wanted, (path, unit)
    again = analyze(read_yaml(write_yaml(network)))
    assert again.fields == analysis.fields
