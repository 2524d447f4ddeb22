"""A device that is none: tensors of the CPU that refuse to meet tensors that were not sent there.

On a machine without a GPU it shows that every tensor of a measurement is made on, or sent to, the
device that was chosen: what stays behind on the CPU raises as it would on CUDA, where only single
numbers and indices may.  It can be one that knows no double precision, as Apple's MPS.  The
numbers are the CPU's, so results must be equal.  It takes the part of PyTorch that is meant for
backends written in Python [1]_.

References
----------
.. [1] https://docs.pytorch.org/docs/stable/notes/extending.html#extending-torch-native-api
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.utils import backend_registration
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

_NAME = "strict"
_BRINGING = ("aten._to_copy.default", "aten.copy_.default")
_NUMBER = "aten._local_scalar_dense.default"


class StrictTensor(Tensor):
    """A tensor on the strict device; `held` has its values."""

    held: Tensor
    made: ClassVar[int] = 0
    knows_double: ClassVar[bool] = True

    @staticmethod
    def __new__(cls, held: Tensor) -> StrictTensor:
        if held.dtype == torch.float64 and not cls.knows_double:
            raise TypeError("the device does not support float64")
        cls.made += 1
        made: StrictTensor = Tensor._make_wrapper_subclass(
            cls,
            held.size(),
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=torch.device(_NAME, 0),
        )
        made.held = held
        return made

    # torch declares it without `cls`, but calls it as a method of the class, as its notes say [1]_.
    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        del types
        return _called(function, args, kwargs or {})


class _Strict(TorchDispatchMode):
    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        del types
        return _called(function, args, kwargs or {})


def _called(function: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> Any:
    name = str(function)
    tensors = [x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)]
    there = [x for x in tensors if isinstance(x, StrictTensor)]
    here = [x for x in tensors if not isinstance(x, StrictTensor)]
    indexing = name.startswith("aten.index")
    if there and any(x.dim() for x in here) and name not in _BRINGING and not indexing:
        raise RuntimeError(f"Expected all tensors to be on the same device, but {name} got two")
    asked = kwargs.get("device")
    goes_there = bool(there) if asked is None else torch.device(asked).type == _NAME
    if goes_there and asked is not None:
        kwargs = kwargs | {"device": torch.device("cpu")}
    args, kwargs = tree_map(_held, (args, kwargs))
    result = function(*args, **kwargs)
    if name == _NUMBER or not goes_there:
        return result
    known = {id(x.held): x for x in there}  # of what works in place

    def sent(value: Any) -> Any:
        if not isinstance(value, Tensor):
            return value
        return known[id(value)] if id(value) in known else StrictTensor(value)

    return tree_map(sent, result)


def _held(value: Any) -> Any:
    return value.held if isinstance(value, StrictTensor) else value


def register() -> None:
    """Make the device known, which must be before the first gradient of the process."""
    if torch._C._get_privateuse1_backend_name() == _NAME:
        return
    # What PyTorch does for such backends, but for new methods of every tensor and module.
    backend_registration.rename_privateuse1_backend(_NAME)
    torch._register_device_module(_NAME, backend_registration._DummyBackendModule())
    parts = torch._C._acc
    parts.register_python_privateuseone_hook(backend_registration._DummyPrivateUse1Hook())
    parts.register_python_privateuseone_device_guard(backend_registration._DummyDeviceGuard())


@contextmanager
def strict_device(*, knows_double: bool = True) -> Iterator[torch.device]:
    """Let tensors be made on the device inside of the block."""
    StrictTensor.knows_double = knows_double
    with _Strict():
        yield torch.device(_NAME, 0)
