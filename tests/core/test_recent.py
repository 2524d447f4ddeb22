"""A memo by identity: it finds what was put in, forgets the oldest, and mixes up no two objects."""

from __future__ import annotations

from dataclasses import replace

from rfstudio.core import ops
from rfstudio.core.network.architecture import Architecture, Layer
from rfstudio.core.network.graph import expand
from rfstudio.core.recent import Recent


class Owner:
    """Anything with an identity; all are equal."""

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # nobody needs to hash it


def test_that_a_result_is_found_by_the_object_itself_and_the_rest_of_the_key() -> None:
    recent: Recent[Owner, int] = Recent(2)
    one, other = Owner(), Owner()
    assert recent.get(one, "a", None) is None
    assert recent.put(one, "a", 1) == 1
    assert recent.get(one, "a", None) == 1
    assert recent.get(one, "b", None) is None
    assert recent.get(other, "a", None) is None


def test_that_the_oldest_result_makes_room() -> None:
    recent: Recent[Owner, int] = Recent(2)
    one = Owner()
    for number in range(3):
        recent.put(one, number, number)
    assert [recent.get(one, number, -1) for number in range(3)] == [-1, 1, 2]
    recent.clear()
    assert recent.get(one, 2, -1) == -1


def test_that_one_document_has_one_graph_and_equal_documents_have_their_own() -> None:
    network = Architecture(input_size=(9, 9), layers=(Layer(ops.Conv(kernel_size=3), "a"),))
    graph = expand(network)
    assert expand(network, (9, 9)) is graph
    assert expand(network, [9, 9]) is graph
    assert expand(network, (8, 8)).nodes[1].size == (6, 6)
    assert expand(network, batch_norm_training=True) is not graph
    again = expand(replace(network))
    assert again is not graph
    assert again == graph
