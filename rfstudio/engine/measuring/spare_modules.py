"""Modules of finished measurements, which the next one of the same map gives new weights.

To make the modules of a network and to plan what they evaluate takes longer than the gradient of a
unit with a small field.  Both depend on the network alone.
"""

from __future__ import annotations

import threading

import torch

from rfstudio.core.network.graph import Graph
from rfstudio.engine.module.build import GraphModule
from rfstudio.engine.module.folding import part_norms
from rfstudio.engine.module.layers.sliding_window import ConvModule
from rfstudio.engine.requests.request import ErfRequest

_MODULES = 8
"""Most modules that are held."""

_BYTES = 2**25
"""Most memory of the weights of one; with more weights, the gradient takes longer anyway."""


class SpareModules:
    """Modules that nobody uses; the one used longest ago is dropped first.

    A module is held by one measurement at a time: taking it removes it from here.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._modules: list[tuple[GraphModule, torch.device, torch.dtype]] = []

    def take(
        self, graph: Graph, target: int, device: torch.device, dtype: torch.dtype
    ) -> GraphModule | None:
        """Return a module for that map, whose weights must be set; None: there is none.

        Parameters
        ----------
        graph
            The network at the size of the images.  It is compared by identity, as all who expand
            one document have the same graph.
        target
            The node that it computes.
        device, dtype
            Of its weights.
        """
        with self._lock:
            for place, (module, *kind) in enumerate(self._modules):
                if module.graph is graph and module.target == target and kind == [device, dtype]:
                    del self._modules[place]
                    reset(module)
                    return module
        return None

    def give(self, module: GraphModule, device: torch.device, dtype: torch.dtype) -> None:
        """Take over a module that nobody uses any more, if it is small; it is reset when taken."""
        if sum(x.nbytes for x in module.parameters()) > _BYTES:
            return
        with self._lock:
            self._modules = [*self._modules, (module, device, dtype)][-_MODULES:]

    def clear(self) -> None:
        """Free their memory."""
        with self._lock:
            self._modules = []

    def __len__(self) -> int:
        """Return the number of modules."""
        return len(self._modules)


def reset(module: GraphModule) -> None:
    """Undo what folding and the choice of a layout have done, so that rounding is the same.

    Weights of convolutions are lost.
    """
    part_norms(module)
    for layer in module.layers():
        if isinstance(layer, ConvModule):
            # Its values are drawn anew in any case, so they need not be moved.
            blank = torch.empty_like(layer.weight, memory_format=torch.contiguous_format)
            layer.weight.data = blank
            if not layer.op.bias:
                layer.bias = None


def has_drawn_weights(request: ErfRequest) -> bool:
    """Return whether all weights of a request are set by its seed or its law, and none is read."""
    return request.weights in ("random", "uniform") and request.batch_norm != "train"


HERE = SpareModules()
"""Those of this process."""
