"""A cache of the networks that a process has measured, for the next unit of the same map.

While the pointer moves over a map, requests differ only in the unit.  So the network with its
weights is cached, and, once that saves work, what the backward pass needs of an evaluation of the
map.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from rfstudio.engine.measuring.network import Network
from rfstudio.engine.process.devices import free_memory
from rfstudio.engine.requests.request import OWN_WEIGHTS, ErfRequest
from rfstudio.importing.imported import Imported

_SHARE = 0.25
"""Share of the free memory that may be filled."""

_NETWORKS = 4
"""Most networks in a cache."""


class Key(NamedTuple):
    """What a network and the evaluations of its samples depend on."""

    map: Hashable
    """The network up to the layer, at a size, on a device and in a precision."""

    seed: int
    rest: Hashable
    """Weights, images and what is done with them."""


class NetworkCache:
    """The networks that were measured last; those used longest ago are dropped first."""

    def __init__(self) -> None:
        self._networks: OrderedDict[Key, Network] = OrderedDict()

    def get(self, key: Key) -> Network | None:
        """Return the network of that key, or None."""
        found = self._networks.get(key)
        if found is not None:
            self._networks.move_to_end(key)
        return found

    def put(self, key: Key, network: Network) -> None:
        """Add a network; if the cache is full, the one used longest ago is dropped."""
        self._networks[key] = network
        while len(self._networks) > _NETWORKS:
            self._networks.popitem(last=False)

    def take_of_other_seed(self, key: Key) -> Network | None:
        """Remove and return a network that differs in the seed alone; None: there is none.

        Measuring again with another seed then makes and plans no layer.
        """
        same = ((k, x) for k, x in self._networks.items() if (k.map, k.rest) == (key.map, key.rest))
        found, network = next(same, (None, None))
        if found is not None:
            del self._networks[found]
        return network

    def drop(self, key: Key) -> None:
        """Forget a network, if it is there."""
        self._networks.pop(key, None)

    def clear(self) -> None:
        """Free all memory, also of networks in use, as far as it can be computed again."""
        for network in self._networks.values():
            network.forget()
        self._networks.clear()

    @property
    def networks(self) -> tuple[Network, ...]:
        """The networks, the one used last at the end."""
        return tuple(self._networks.values())

    @property
    def bytes(self) -> int:
        """Memory of all networks and their evaluations."""
        return sum(x.bytes for x in self._networks.values())

    def has_room(self, wanted: int, device: torch.device, network: Network) -> bool:
        """Whether `network` may take so many bytes more; others are dropped for that."""
        free = free_memory(device)
        while True:
            held = self.bytes
            if held + wanted <= _SHARE * (free + held):
                return True
            other = next((k for k, x in self._networks.items() if x is not network), None)
            if other is None:
                return False
            free += self._networks.pop(other).bytes

    def __len__(self) -> int:
        """Return the number of networks."""
        return len(self._networks)


def key_of(request: ErfRequest, layer: str, size: tuple[int, ...], device: str) -> Key:
    """Return what a network and the evaluations of its samples depend on.

    That is everything in a request except the unit and what is done with its values.
    """
    return Key(
        (request.architecture, layer, size, device, request.dtype),
        request.seed,
        (
            request.init,
            request.batch_norm,
            request.images_per_weights,
            _state_of_weights(request),
            _content_of(request.images),
        ),
    )


def _content_of(images: Sequence[NDArray[np.uint8]]) -> Hashable:
    """Return what changes when images do; images from files have a key, so they are not read."""
    key: Hashable = getattr(images, "key", None)
    if key is not None:
        return key
    return tuple((x.shape, hashlib.blake2b(x.tobytes()).digest()) for x in images)


def _state_of_weights(request: ErfRequest) -> Hashable:
    """Return what changes when the weights do; networks are equal that have other weights."""
    if request.weights == OWN_WEIGHTS:
        network = request.architecture
        edition = network.edition if isinstance(network, Imported) else ""
        return (OWN_WEIGHTS, edition or id(network))
    return _state_of_file(request.weights)


def _state_of_file(weights: str) -> Hashable:
    """Return what changes when a file of weights does."""
    if weights in ("random", "uniform"):
        return weights
    try:
        path = Path(weights).resolve()
        state = path.stat()
    except OSError:
        return (weights, None)  # reading it will fail, so there is no network to cache
    return (str(path), state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino)


HERE = NetworkCache()
"""The cache of this process."""
