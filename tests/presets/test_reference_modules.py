"""Presets against modules of torch that are written from the tables and figures of the papers."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from rfstudio.core.fields.analysis import analyze
from rfstudio.engine.module.build import to_torch
from rfstudio.engine.weights.reading import load_weights
from rfstudio.formats.networks.presets import read_preset


def _patchgan() -> nn.Module:
    """C64-C128-C256-C512 (arXiv:1611.07004, section 6.1.2), the last two with stride 1."""
    layers: list[nn.Module] = [nn.Conv2d(6, 64, 4, 2, 1), nn.LeakyReLU(0.2)]
    for read, made, stride in ((64, 128, 2), (128, 256, 2), (256, 512, 1)):
        layers += [
            nn.Conv2d(read, made, 4, stride, 1, bias=False),
            nn.BatchNorm2d(made),
            nn.LeakyReLU(0.2),
        ]
    return nn.Sequential(*layers, nn.Conv2d(512, 1, 4, 1, 1))


class _Residual(nn.Module):
    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.inner = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.inner(x)


def _cyclegan() -> nn.Module:
    """c7s1-64, d128, d256, R256 × 9, u128, u64, c7s1-3 (arXiv:1703.10593, section 7.2)."""

    def normed(channels: int, *layers: nn.Module) -> list[nn.Module]:
        return [*layers, nn.InstanceNorm2d(channels), nn.ReLU()]

    layers = normed(64, nn.ReflectionPad2d(3), nn.Conv2d(3, 64, 7))
    layers += normed(128, nn.Conv2d(64, 128, 3, 2, 1)) + normed(256, nn.Conv2d(128, 256, 3, 2, 1))
    for _ in range(9):
        pair = [[nn.ReflectionPad2d(1), nn.Conv2d(256, 256, 3)] for _ in "ab"]
        layers.append(_Residual(*normed(256, *pair[0]), *pair[1], nn.InstanceNorm2d(256)))
    layers += normed(128, nn.ConvTranspose2d(256, 128, 3, 2, 1, 1))
    layers += normed(64, nn.ConvTranspose2d(128, 64, 3, 2, 1, 1))
    return nn.Sequential(*layers, nn.ReflectionPad2d(3), nn.Conv2d(64, 3, 7), nn.Tanh())


def _wav2vec2() -> nn.Module:
    """Strides 5, 2 × 6 and kernels 10, 3 × 4, 2 × 2 (arXiv:2006.11477, section 4.2)."""
    layers: list[nn.Module] = [
        nn.Conv1d(1, 512, 10, 5, bias=False),
        nn.GroupNorm(512, 512),
        nn.GELU(),
    ]
    for kernel in (3, 3, 3, 3, 2, 2):
        layers += [nn.Conv1d(512, 512, kernel, 2, bias=False), nn.GELU()]
    return nn.Sequential(*layers)


class _SpliceAI(nn.Module):
    """SpliceAI-10k of figure 1 of doi:10.1016/j.cell.2018.12.015: RB(32, W, D) four at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv1d(4, 32, 1)
        self.groups = nn.ModuleList(
            nn.Sequential(*[self._block(w, d) for _ in range(4)])
            for w, d in ((11, 1), (11, 4), (21, 10), (41, 25))
        )
        self.skips = nn.ModuleList(nn.Conv1d(32, 32, 1) for _ in range(5))
        self.out = nn.Conv1d(32, 3, 1)

    @staticmethod
    def _block(w: int, d: int) -> nn.Module:
        layers: list[nn.Module] = []
        for _ in range(2):
            conv = nn.Conv1d(32, 32, w, dilation=d, padding="same")
            layers += [nn.BatchNorm1d(32), nn.ReLU(), conv]
        return _Residual(*layers)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        total = self.skips[0](x)
        for group, skip in zip(self.groups, list(self.skips)[1:], strict=True):
            x = group(x)
            total = total + skip(x)
        return self.out(total[:, :, 5000:-5000]).softmax(1)


class _CRNN(nn.Module):
    """Table 1 of arXiv:1507.05717; 36 letters and digits and a blank."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        read = 1
        for i, made in enumerate((64, 128, 256, 256, 512, 512)):
            layers.append(nn.Conv2d(read, made, 3, 1, 1))
            if i in (2, 4):
                layers.append(nn.BatchNorm2d(made))
            layers.append(nn.ReLU())
            if i in (0, 1):
                layers.append(nn.MaxPool2d(2, 2))
            elif i in (3, 5):
                layers.append(nn.MaxPool2d(2, (2, 1), (0, 1)))
            read = made
        layers += [nn.Conv2d(512, 512, 2), nn.BatchNorm2d(512), nn.ReLU()]
        self.features = nn.Sequential(*layers)
        self.lstm0 = nn.LSTM(512, 256, bidirectional=True, batch_first=True)
        self.linear0 = nn.Linear(512, 256)
        self.lstm1 = nn.LSTM(256, 256, bidirectional=True, batch_first=True)
        self.linear1 = nn.Linear(512, 37)

    def forward(self, x: Tensor) -> Tensor:
        x = self.features(x).squeeze(2).mT
        x = self.linear0(self.lstm0(x)[0])
        found: Tensor = self.linear1(self.lstm1(x)[0])
        return found.mT.unsqueeze(2)


class _Fusion(nn.Module):
    """Residual blocks of kernels 3, 7 and 11; our preset has their sum in place of the mean."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            nn.Sequential(*[self._block(channels, k, d) for d in (1, 3, 5)]) for k in (3, 7, 11)
        )

    @staticmethod
    def _block(channels: int, k: int, d: int) -> nn.Module:
        first = nn.Conv1d(channels, channels, k, dilation=d, padding="same")
        second = nn.Conv1d(channels, channels, k, padding="same")
        return _Residual(nn.LeakyReLU(0.1), first, nn.LeakyReLU(0.1), second)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = sum(block(x) for block in self.blocks)
        return found


def _hifigan() -> nn.Module:
    """V1 of table 4 in appendix A of arXiv:2010.05646: h_u 512, k_u 16, 16, 4, 4."""
    layers: list[nn.Module] = [nn.Conv1d(80, 512, 7, padding=3)]
    channels = 512
    for k in (16, 16, 4, 4):
        up = nn.ConvTranspose1d(channels, channels // 2, k, k // 2, k // 4)
        channels //= 2
        layers += [nn.LeakyReLU(0.1), up, _Fusion(channels)]
    # The last slope is that of torch: the authors' code gives none.
    return nn.Sequential(*layers, nn.LeakyReLU(), nn.Conv1d(32, 1, 7, padding=3), nn.Tanh())


class _YOLOv3(nn.Module):
    """Darknet-53 (table 1 of arXiv:1804.02767) and the heads of section 2.3."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = self._conv(3, 32, 3)
        self.layers = nn.ModuleList(
            nn.Sequential(
                self._conv(c // 2, c, 3, 2),
                *[
                    _Residual(self._conv(c, c // 2, 1), self._conv(c // 2, c, 3))
                    for _ in range(times)
                ],
            )
            for c, times in ((64, 1), (128, 2), (256, 8), (512, 8), (1024, 4))
        )
        # In the order in which maps are computed, and the heads at the end.
        self.path, self.heads = nn.ModuleList(), nn.ModuleList()
        for c, read in ((512, 1024), (256, 768), (128, 384)):
            if c < 512:
                self.path.append(self._conv(2 * c, c, 1))
            widths = [read, c, 2 * c, c, 2 * c, c]
            pairs = enumerate(pairwise(widths))
            neck = [self._conv(*pair, kernel=1 + 2 * (i % 2)) for i, pair in pairs]
            self.path.append(nn.Sequential(*neck))
            self.heads.append(nn.Sequential(self._conv(c, 2 * c, 3), nn.Conv2d(2 * c, 255, 1)))

    @staticmethod
    def _conv(read: int, made: int, kernel: int, stride: int = 1) -> nn.Module:
        conv = nn.Conv2d(read, made, kernel, stride, kernel // 2, bias=False)
        return nn.Sequential(conv, nn.BatchNorm2d(made), nn.LeakyReLU(0.1))

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        maps = []
        for layer in self.layers:
            x = layer(x)
            maps.append(x)
        first, up1, second, up2, third = self.path
        x = first(maps[4])
        for neck, up, finer in ((second, up1, maps[3]), (third, up2, maps[2])):
            spread = functional.interpolate(up(x), scale_factor=2)
            x = neck(torch.cat([spread, finer], 1))
        found: Tensor = self.heads[2](x)
        return found


_REFERENCES: dict[str, tuple[Any, tuple[int, ...]]] = {
    "patchgan": (_patchgan, (64, 64)),
    "cyclegan": (_cyclegan, (32, 32)),
    "wav2vec2": (_wav2vec2, (1600,)),
    "spliceai_10k": (_SpliceAI, (10_050,)),
    "crnn": (_CRNN, (32, 100)),
    "hifigan_v1": (_hifigan, (4,)),
    "yolo_v3": (_YOLOv3, (64, 64)),
}
"""Presets, the module that a paper describes, and a size at which outputs are compared."""


@pytest.mark.slow
@pytest.mark.parametrize("preset", _REFERENCES)
def test_that_a_preset_is_the_module_that_its_paper_describes(preset: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    make, size = _REFERENCES[preset]
    theirs: nn.Module = make().double().eval()
    for key, x in theirs.named_buffers():
        if key.endswith("running_mean"):
            x.uniform_(-0.2, 0.2)
        elif key.endswith("running_var"):
            x.uniform_(0.5, 1.5)
    network = read_preset(preset)
    count = sum(x.parameters for x in analyze(network, input_size=size).layers)
    assert count == sum(x.numel() for x in theirs.parameters())
    whole = to_torch(network, input_size=size, dtype=torch.float64)
    torch.save(theirs.state_dict(), tmp_path / "weights.pth")
    loaded = load_weights(whole, tmp_path / "weights.pth")
    assert (loaded.missing, loaded.unexpected) == ((), ())
    image = torch.randn(1, network.channels, *size, dtype=torch.float64)
    with torch.no_grad():
        assert torch.allclose(whole(image), theirs(image), atol=1e-9)
