"""Every preset for a test: at once one of each kind of network, the others with the slow tests."""

from collections.abc import Collection

import pytest

from rfstudio.formats.networks.presets import names

QUICK = frozenset(
    {
        *("alexnet", "vgg16", "resnet18", "resnet50_v1", "squeezenet1_1", "googlenet", "unet"),
        *("mobilenet_v2", "mobilenet_v3_small", "efficientnet_b0", "shufflenet_v2_x1_0", "c3d"),
        *("convnext_tiny", "swin_t", "tcn_1d", "wavenet", "unet_3d", "luo_20_layers", "patchgan"),
    }
)
"""One of each kind, and no large one."""


def each_preset(without: Collection[str] = ()) -> list[object]:
    """Return parameters for the names of all presets but some."""
    assert set(names()) >= QUICK
    return [
        name if name in QUICK else pytest.param(name, marks=pytest.mark.slow)
        for name in names()
        if name not in without
    ]
