"""Operations that read all of one axis and a window, or one sample, of the others."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rfstudio.core import ops
from rfstudio.core.errors import FormatError, OpError
from rfstudio.core.fields.analysis import analyze
from rfstudio.core.network.architecture import Architecture, Layer
from rfstudio.engine.module.build import to_torch
from rfstudio.formats.networks.yaml_reader import read_yaml
from rfstudio.formats.networks.yaml_writer import write_yaml

MEAN_OVER_ROWS = """\
format: 1
name: mean over the last axis
input: {size: [40, 64], channels: 1}
layers:
  - conv: {name: c, kernel_size: 3, padding: 1, out_channels: 8}
"""
BY_POOL = MEAN_OVER_ROWS + "  - adaptive_avg_pool: {name: mean, output_size: [null, 1]}\n"
BY_CUSTOM = MEAN_OVER_ROWS + "  - custom: {name: mean, global: [false, true]}\n"


@pytest.mark.parametrize("text", [BY_POOL, BY_CUSTOM])
@pytest.mark.parametrize("size", [(40, 64), (20, 96)])
def test_that_one_axis_is_read_whole_at_any_size(text, size) -> None:
    """The right values are the pixels with a gradient in x.mean(3, keepdim=True) of torch."""
    network = read_yaml(text)
    analysis = analyze(network, input_size=size)
    view = analysis.unit("mean", (10, 0))
    assert view.visible_region == ((9, 11), (0, size[1] - 1))
    assert view.support_count == 3 * size[1]
    layer = analysis["mean"]
    assert layer.is_global == (False, True)
    assert layer.rf_size == (3, None)
    assert layer.jump[0] == 1
    assert read_yaml(write_yaml(network)) == network


def test_that_a_declared_operation_takes_means_over_axes_and_windows() -> None:
    op = ops.Custom(
        whole=(False, True), kernel_size=(3, 2), stride=(2, 1), padding=((1, 0), (0, 0))
    )
    network = Architecture(input_size=(9, 6), channels=2, layers=(Layer(op),))
    image = torch.randn(1, 2, 9, 6, generator=torch.Generator().manual_seed(0))
    rows = np.pad(image.numpy().mean(3), [(0, 0), (0, 0), (1, 0)])
    wanted = np.stack([rows[..., i : i + 3].mean(-1) for i in (0, 2, 4, 6)], -1)
    found = to_torch(network)(image).numpy()
    np.testing.assert_allclose(found, np.repeat(wanted[..., None], 5, -1), atol=1e-6)


def test_that_one_entry_for_each_axis_is_wanted() -> None:
    with pytest.raises(FormatError, match="global has 3 entries, but the network has 2 axes"):
        read_yaml(BY_CUSTOM.replace("[false, true]", "[false, true, true]"))
    with pytest.raises(OpError, match="whole must be true or false or one per axis"):
        ops.Custom(whole="rows")  # type: ignore[arg-type] # what is refused
    assert ops.Custom(whole=(True, True)) == ops.Custom(whole=True)
