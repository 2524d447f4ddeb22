"""Operations and their parameters: files and forms know all of them and no others."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rfstudio.core.errors import OpError
from rfstudio.core.ops import OPS, Conv, Crop, Op, Upsample, parameters
from tests.strategies import operations


@given(st.sampled_from([1, 2, 3]).flatmap(operations))
def test_that_an_operation_is_all_of_its_parameters(op: Op) -> None:
    kind = OPS[op.keyword]
    known = parameters(kind)
    assert kind(**{x.name: getattr(op, x.name) for x in known}) == op


@pytest.mark.parametrize("keyword", sorted(OPS))
def test_that_a_keyword_leads_to_its_operation_and_every_parameter_has_a_name(keyword: str) -> None:
    assert OPS[keyword].keyword == keyword
    names = [x.name for x in parameters(OPS[keyword])]
    assert len(names) == len(set(names))


def test_that_what_no_framework_accepts_is_no_operation() -> None:
    # torch raises for each of them, too.
    for name in ("kernel_size", "stride", "dilation", "groups"):
        values: dict[str, Any] = {"kernel_size": 3, name: 0}
        with pytest.raises(OpError):
            Conv(**values)
    with pytest.raises(OpError):
        Upsample(size=4, scale_factor=2)
    with pytest.raises(OpError):
        Crop(size=4, margins=((1, 1),))
