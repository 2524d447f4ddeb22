"""Reads weights from files, which may be hostile.

safetensors holds numbers only.  A `.pt` file is read with `weights_only`, which runs no code, but a
few bytes can claim terabytes; so what it claims is compared with what it holds, before and after.
"""

from __future__ import annotations

import pickle
import re
import warnings
import zipfile
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from rfstudio.core import ops
from rfstudio.core.errors import shown
from rfstudio.core.network.weight_names import names_in_files
from rfstudio.engine.module.build import GraphModule, weight_places
from rfstudio.engine.module.layers.base import LayerModule
from rfstudio.engine.process.errors import WeightsError
from rfstudio.engine.weights.legacy_files import held_by_legacy_file
from rfstudio.engine.weights.matching import Shapes, match_all_or_part, match_by_name
from rfstudio.engine.weights.own_offsets import Offsets, set_aside, take_offsets
from rfstudio.engine.weights.parametrizations import AxisOf, folded
from rfstudio.engine.weights.pt2_archive import Archive
from rfstudio.engine.weights.safety_scan import MAX_BYTES, checked_kind

_WRAPPERS = ("state_dict", "model", "model_state_dict", "module")
_PREFERRED = ("params_ema", "state_dict_ema", "model_ema", "params")
"""Names of weights of which a file may hold several versions, the best one first."""

_STATISTICS = (".running_mean", ".running_var")
_NAMED = 5

_LEAST_SHARE = 0.5
"""Share of a network's weights below which a file counts as another network's."""


class Loaded(NamedTuple):
    """The outcome of loading weights.

    Attributes
    ----------
    missing
        Weights of the network that the file does not have; they are unchanged.
    unexpected
        Weights of the file that the network does not have.
    renamed
        Weights with other names in the file, and those names; matched by order and shape.
    named
        Weights that were matched by the names that the network knows for them in files, and those.
    offsets
        Those of deformable convolutions that have no layer for them.
    """

    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    renamed: Mapping[str, str]
    named: Mapping[str, str]
    offsets: Offsets = Offsets()

    @property
    def without_statistics(self) -> tuple[str, ...]:
        """The batch norms whose running statistics the file does not have, or not both."""
        layers = [x.rpartition(".")[0] for x in self.missing if x.endswith(_STATISTICS)]
        return tuple(dict.fromkeys(layers))

    def notes(self, drawn: Container[str], instead: str) -> tuple[str, ...]:
        """Return the same as sentences.

        Parameters
        ----------
        drawn
            Names of the weights that are drawn at random.
        instead
            What batch norms without statistics use instead, in words.
        """
        weights = tuple(x for x in self.missing if x in drawn)
        fixed = tuple(x for x in self.missing if x not in drawn and not x.endswith(_STATISTICS))
        notes = []
        for pairs, text in (
            (self.named, "matched by the names that this network has in files"),
            (self.renamed, "the file uses other names for weights; matched by order and shape"),
        ):
            examples = tuple(f"{own} from {shown(name)}" for own, name in pairs.items())
            if examples:
                notes.append(f"{text}: {_list(examples, 3)}")
        notes += [f"{text}: {_list(x, 3)}" for text, x in self.offsets.sentences() if x]
        if weights:
            notes.append(f"not in the file, drawn at random: {_list(weights)}")
        if fixed:
            notes.append(f"not in the file, left as before any training: {_list(fixed)}")
        if self.without_statistics:
            notes.append(
                f"no running statistics in the file, {instead}: {_list(self.without_statistics)}"
            )
        if self.unexpected:
            notes.append(f"in the file, not used: {_list(self.unexpected)}")
        return tuple(notes)


def _list(names: tuple[str, ...], most: int = _NAMED) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(map(shown, names[:most])) + more


def load_weights(module: GraphModule, path: str | Path) -> Loaded:
    """Replace the weights of a network by those of a file.

    Weights are matched by name: their own, or the one that the network knows for them
    (`Architecture.weight_names`).  Where the file uses yet other names, order and shape decide
    (`rfstudio.engine.weights.matching`), over the whole network, of which `module` may be a
    part.

    Raises
    ------
    WeightsError
        If the file cannot be read, holds none of the network's weights, or one of another shape.
    """
    places = weight_places(module.graph)
    shapes = {name: x.shape for name, x in places.items()}
    names = names_in_files(
        module.architecture.weight_names, {name: x.path for name, x in places.items()}
    )
    content, unfolded = folded(read_weights(Path(path)), _axis_of_outputs(module, shapes))
    state = {name: x for name, x in content.items() if x.is_floating_point()}
    if not state:
        what = "whole numbers, as quantised networks have them," if content else "no tensors"
        raise WeightsError(f"{path} holds {what} and no weights of float16, float32 or float64")
    own = {name: x for name, x in module.state_dict().items() if x.is_floating_point()}
    # A layer that computes offsets may be known to the file alone.
    aside = set_aside(module, (*shapes, *names.values()), state)
    file = {name: tuple(x.shape) for name, x in state.items() if name not in aside}
    found, is_named = _matched(shapes, names, file)
    values = _values(module, own, found, state)
    taken = {name: found[name] for name in values}
    if unfolded and not all(x in taken for x in own if not x.endswith(_STATISTICS)):
        raise WeightsError(
            f"{path} holds weights as other tensors, from which they cannot be computed: "
            f"{_list(unfolded)}; save the state_dict again after remove_parametrizations, "
            "remove_weight_norm or remove_spectral_norm"
        )
    _refuse_misfits(own, found, values, state, path)
    if own and len(taken) < _LEAST_SHARE * len(own):
        raise WeightsError(
            f"{path} holds {len(taken) or 'none'} of this network's weights, by name or by order "
            f"and shape; {len(own)} are needed; it names them {_list(tuple(state))}, the network "
            f"{_list(tuple(own))}"
        )
    offsets = take_offsets(module, taken, state)
    for name, there in (*taken.items(), *zip(offsets.used, offsets.used, strict=True)):
        if not bool(state[there].isfinite().all()):
            raise WeightsError(
                f"{path}: '{shown(there)}' holds NaN or infinity; take an earlier checkpoint, from "
                "before the training diverged"
            )
        if name.endswith("running_var") and bool((state[there] < 0).any()):
            raise WeightsError(f"{path}: '{shown(there)}' holds variances below 0")
    with torch.no_grad():
        for name, value in values.items():
            own[name].copy_(value.reshape(own[name].shape))
    used = {*found.values(), *offsets.used}
    others = {name: x for name, x in taken.items() if x != name and not x.endswith(f".{name}")}
    return Loaded(
        tuple(x for x in own if x not in taken),
        tuple(x for x in state if x not in used),
        {} if is_named else others,
        others if is_named else {},
        offsets,
    )


def _values(
    module: GraphModule,
    own: Mapping[str, Tensor],
    found: Mapping[str, str],
    state: Mapping[str, Tensor],
) -> dict[str, Tensor]:
    """Return the tensors of a file that fit the weights that they were found for."""
    owners = dict(module.named_modules())
    values = {}
    for name, weight in own.items():
        if name in found:
            value = _adopted(owners, name, state[found[name]])
            if value.numel() == weight.numel() and value.shape[:1] == weight.shape[:1]:
                values[name] = value
    return values


def _refuse_misfits(
    own: Mapping[str, Tensor],
    found: Mapping[str, str],
    values: Mapping[str, Tensor],
    state: Mapping[str, Tensor],
    path: str | Path,
) -> None:
    """Raise an error if a file has weights of this network, by name, in other shapes."""
    wrong = {x: found.get(x, x) for x in own if x not in values and found.get(x, x) in state}
    if not wrong:
        return
    name, there = next(iter(wrong.items()))
    raise WeightsError(
        f"{path}: '{shown(there)}' has the shape {list(state[there].shape)}, but the network "
        f"needs {list(own[name].shape)}"
        + (f" for '{name}'" if there != name else "")
        + (f" ({len(wrong) - 1} more differ)" if len(wrong) > 1 else "")
    )


def _adopted(modules: Mapping[str, nn.Module], name: str, tensor: Tensor) -> Tensor:
    """Return a tensor of a file in the form that a weight has in its layer."""
    owner, _, weight = name.rpartition(".")
    module = modules[owner]
    return module.adopted(weight, tensor) if isinstance(module, LayerModule) else tensor


def _axis_of_outputs(module: GraphModule, shapes: Mapping[str, tuple[int, ...]]) -> AxisOf:
    """Return what gives the axis of the outputs of a weight by its shape."""
    transposed = {x.name for x in module.graph.nodes if isinstance(x.op, ops.ConvTranspose)}
    axes: dict[tuple[int, ...], set[int]] = {}
    for name, shape in shapes.items():
        axes.setdefault(shape, set()).add(int(name.removesuffix(".weight") in transposed))

    def axis_of(shape: tuple[int, ...]) -> int | None:
        found = axes.get(shape, set())
        return next(iter(found)) if len(found) == 1 else None

    return axis_of


def _matched(own: Shapes, names: Mapping[str, str], file: Shapes) -> tuple[dict[str, str], bool]:
    """Return the names in a file for weights, and whether they are the ones the network knows."""
    named = match_by_name(own, names, file) if names else None
    unchanged = match_by_name(own, {x: x for x in own}, file)
    if named is not None and len(named) > len(unchanged or ()):
        return named, True
    return match_all_or_part(own, file), False


def read_weights(path: Path) -> dict[str, Tensor]:
    """Return the named tensors of a `.safetensors`, `.pt` or `.pth` file, on the CPU.

    Raises
    ------
    WeightsError
        If it is not such a file, is damaged, or claims more than it holds.
    """
    kind = checked_kind(path)
    if kind == "pt2":
        return _read_exported(path)
    if kind == "safetensors":
        # Here, so that random weights are measured where it is not installed.
        import safetensors.torch  # noqa: PLC0415
        from safetensors import SafetensorError  # noqa: PLC0415

        try:
            state = safetensors.torch.load_file(path)
            # The file does not have the order of the layers; sorting by numbers puts 10 after 9.
            return {name: _widened(state[name]) for name in sorted(state, key=_by_number)}
        except (SafetensorError, OSError, ValueError, RuntimeError, KeyError) as error:
            reason = shown(str(error), 300)
            raise WeightsError(f"{path} is not a valid safetensors file: {reason}") from error
    return _read_pickled(path)


def _widened(tensor: Tensor) -> Tensor:
    """Return 8-bit floating-point numbers as float32, since torch can do little with them."""
    is_narrow = tensor.is_floating_point() and tensor.element_size() == 1
    return tensor.to(torch.float32) if is_narrow else tensor


def _by_number(name: str) -> list[tuple[int, str]]:
    """Return a key that sorts names by the numbers in them."""
    parts = re.split(r"(\d+)", name)
    return [(int(x), "") if x.isdigit() else (-1, x) for x in parts]


def _read_pickled(path: Path) -> dict[str, Tensor]:
    held = _held_bytes(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's on old kinds of tensors, which are refused
            content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"{path} holds more than weights, which could run code; save its state_dict, best as "
            ".safetensors"
        ) from error
    except Exception as error:
        reason = shown(str(error), 300)
        raise WeightsError(f"{path} cannot be read as weights: {reason}") from error
    state = _tensors(content, path)
    claimed = sum(x.numel() * x.element_size() for x in state.values())
    # Tensors may share storage, so that even a good file claims a little more than it holds.
    if claimed > 4 * held + 2**20:
        raise WeightsError(f"{path} claims {claimed:,} bytes of weights but holds {held:,}")
    return {name: _widened(x) for name, x in state.items()}


def _read_exported(path: Path) -> dict[str, Tensor]:
    """Return the weights of an exported program; its graph is not read."""
    try:
        archive = Archive(path)
        return {name: _widened(archive.tensor(name)) for name in archive.names}
    # Damaged bytes can break any assumption about the tables.
    except Exception as error:
        reason = shown(str(error), 300)
        raise WeightsError(f"{path} cannot be read as an exported program: {reason}") from error


def _held_bytes(path: Path) -> int:
    """Return the bytes that a file unpacks to; refuse what occurs only in hostile files."""
    if not zipfile.is_zipfile(path):
        return held_by_legacy_file(path)
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise WeightsError(f"{path} is damaged: {error}") from error
    held = sum(x.file_size for x in entries)
    if held > MAX_BYTES or any(x.compress_type != zipfile.ZIP_STORED for x in entries):
        raise WeightsError(f"{path} is packed in a way that torch.save never uses; it was not read")
    return held


def _holds_tensors(content: object) -> bool:
    return isinstance(content, Mapping) and any(isinstance(x, Tensor) for x in content.values())


def _side_by_side(content: Mapping[Any, Any]) -> Mapping[Any, Any]:
    """Return the weights of several networks, each with the name of its network before it."""
    for wrapper in _PREFERRED:
        if _holds_tensors(content.get(wrapper)):
            return content[wrapper]  # type: ignore[no-any-return]  # of a file: anything
    found = {
        f"{outer}.{name}": x
        for outer, inner in content.items()
        if _holds_tensors(inner)
        for name, x in inner.items()
    }
    return found or content


def _tensors(content: Any, path: Path) -> dict[str, Tensor]:
    for wrapper in _WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if isinstance(content, Mapping) and not _holds_tensors(content):
        # Others call it `net` or `params`; with several, it is unclear which one is meant.
        inner = [x for x in content.values() if _holds_tensors(x)]
        content = inner[0] if len(inner) == 1 else _side_by_side(content)
    if not isinstance(content, Mapping):
        raise WeightsError(f"{path} holds no state dict: names with tensors")
    state = {
        str(name).removeprefix("module."): x for name, x in content.items() if isinstance(x, Tensor)
    }
    if any(x.is_nested or x.is_quantized for x in state.values()):
        raise WeightsError(
            f"{path} holds nested or quantised tensors; only dense weights are read: save each "
            "tensor of it by itself, in float32"
        )
    if any(x.layout != torch.strided or x.is_meta for x in state.values()):
        raise WeightsError(f"{path} holds sparse or empty tensors; only dense weights are read")
    return state
