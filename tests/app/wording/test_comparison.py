"""The rows of a comparison: with units, with estimators, and without meaningless differences."""

from rfstudio.app.files.presets import read_preset
from rfstudio.app.wording.comparison import Compared, rows_of
from rfstudio.core.fields.analysis import analyze
from rfstudio.core.network.architecture import Architecture


def test_that_sizes_in_other_units_are_told_and_not_subtracted() -> None:
    network: Architecture = read_preset("vgg11")
    over_input, over_map = analyze(network), analyze(network, reference="pool1")
    layer = over_input.layers[12].name
    columns = [
        Compared(title, analysis, layer, (3, 3), None)
        for title, analysis in (("a", over_input), ("b", over_map), ("c", over_input))
    ]
    rows = {row.label: row.cells for row in rows_of(columns)}
    image = "pixels of the image"
    assert [x.text for x in rows["fields in"]] == [image, "samples of the map of pool1", image]
    assert [x.difference for x in rows["field size"]] == ["", "", "same"]
    assert [x.difference for x in rows["jump"]] == ["", "", "same"]
    assert [x.difference for x in rows["channels"]] == ["", "same", "same"]
