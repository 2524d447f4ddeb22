"""Reading weights from files that may come from anywhere.

safetensors holds numbers only.  A `.pt` file is read with `weights_only`, which runs no code, but a
few bytes can claim terabytes; so what it claims is compared with what it holds, before and after.
"""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from rfstudio.engine.errors import WeightsError

MAX_BYTES = 16 * 2**30
"""Size of the weights above which a file is refused."""

_WRAPPERS = ("state_dict", "model", "model_state_dict", "module")
_NAMED = 5


class Loaded(NamedTuple):
    """What loading did.

    Attributes
    ----------
    missing
        Weights of the network that the file does not have; they keep what they were.
    unexpected
        Weights of the file that this part of the network does not have.
    """

    missing: tuple[str, ...]
    unexpected: tuple[str, ...]

    def notes(self) -> tuple[str, ...]:
        """Return the same as sentences."""
        notes = []
        if self.missing:
            notes.append(f"not in the file, left at random: {_list(self.missing)}")
        if self.unexpected:
            notes.append(f"in the file, not used: {_list(self.unexpected)}")
        return tuple(notes)


def _list(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def load_weights(module: nn.Module, path: str | Path) -> Loaded:
    """Replace the weights of a module by those of a file, by the layers' paths.

    Raises
    ------
    WeightsError
        If the file cannot be read, holds none of the network's weights, or one of another shape.
    """
    state = read_weights(Path(path))
    own = module.state_dict()
    common = [name for name in own if name in state]
    if not common:
        raise WeightsError(
            f"{path} holds none of this network's weights; it names them "
            f"{_list(tuple(state))}, the network {_list(tuple(own))}"
        )
    wrong = [name for name in common if own[name].shape != state[name].shape]
    if wrong:
        name = wrong[0]
        raise WeightsError(
            f"{path}: '{name}' has the shape {list(state[name].shape)}, but the network needs "
            f"{list(own[name].shape)}" + (f" ({len(wrong) - 1} more differ)" if wrong[1:] else "")
        )
    with torch.no_grad():
        for name in common:
            own[name].copy_(state[name])
    missing = tuple(x for x in own if x not in state and not x.endswith("num_batches_tracked"))
    return Loaded(missing, tuple(x for x in state if x not in own))


def read_weights(path: Path) -> dict[str, Tensor]:
    """Return the named tensors of a `.safetensors`, `.pt` or `.pth` file, on the CPU.

    Raises
    ------
    WeightsError
        If it is no such file, is damaged, or claims more than it holds.
    """
    try:
        size = path.stat().st_size
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror}") from error
    if size > MAX_BYTES:
        raise WeightsError(f"{path} has {size:,} bytes; at most {MAX_BYTES:,} are read")
    if path.suffix == ".safetensors":
        try:
            return safetensors.torch.load_file(path)
        except (SafetensorError, OSError, ValueError) as error:
            raise WeightsError(f"{path} is no valid safetensors file: {error}") from error
    if path.suffix not in (".pt", ".pth", ".bin"):
        raise WeightsError(f"{path}: weights are read from .safetensors, .pt and .pth files")
    return _read_pickled(path)


def _read_pickled(path: Path) -> dict[str, Tensor]:
    held = _held_bytes(path)
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"{path} holds more than weights, which could run code; save its state_dict, best as "
            ".safetensors"
        ) from error
    except Exception as error:
        raise WeightsError(f"{path} cannot be read as weights: {error}") from error
    state = _tensors(content, path)
    claimed = sum(x.numel() * x.element_size() for x in state.values())
    # Tensors may share storage, so that a good file claims a little more than it holds.
    if claimed > 4 * held + 2**20:
        raise WeightsError(f"{path} claims {claimed:,} bytes of weights but holds {held:,}")
    return state


def _held_bytes(path: Path) -> int:
    """Return the bytes that a file unpacks to; refuse what only a hostile one does."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise WeightsError(
            f"{path} is not in the zip format of torch.save (torch 1.6 or later); save it again"
        ) from error
    held = sum(x.file_size for x in entries)
    if held > MAX_BYTES or any(x.compress_type != zipfile.ZIP_STORED for x in entries):
        raise WeightsError(f"{path} is packed as torch.save never packs; it was not read")
    return held


def _tensors(content: Any, path: Path) -> dict[str, Tensor]:
    for wrapper in _WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if not isinstance(content, Mapping):
        raise WeightsError(f"{path} holds no state dict: names with tensors")
    state = {
        str(name).removeprefix("module."): x for name, x in content.items() if isinstance(x, Tensor)
    }
    if any(x.layout != torch.strided or x.is_meta for x in state.values()):
        raise WeightsError(f"{path} holds sparse or empty tensors; only dense weights are read")
    return state
