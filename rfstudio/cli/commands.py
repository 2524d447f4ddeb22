"""The commands, except the window, the effective field and experiments."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from types import MappingProxyType

from rfstudio import api
from rfstudio.cli import drawing, terminal
from rfstudio.cli.output import output_of
from rfstudio.cli.resolving import load_network, numbers, opened, unit_of
from rfstudio.cli.usage import UsageError
from rfstudio.cli.words import FIGURES, NETWORKS, STREAM
from rfstudio.core.errors import RFStudioError
from rfstudio.core.fields.analysis import Analysis, UnitView
from rfstudio.core.fields.repairing import repaired
from rfstudio.formats.networks import presets as shipped
from rfstudio.formats.tables.analysis_tables import analysis_table, one_line
from rfstudio.formats.tables.answer_records import (
    block_record,
    closed_form_record,
    other_numbers_record,
    path_lengths_record,
    paths_record,
    pixel_record,
    presets_json,
    presets_table,
)
from rfstudio.formats.tables.reports import advice_report, tiles_report
from rfstudio.formats.tables.table_formats import Contents, TableWriter


def presets(arguments: argparse.Namespace) -> int:
    """List the networks that come with the program, or those that have all the given words."""
    found = []
    for name in shipped.names():
        network = shipped.read_preset(name)
        text = f"{name} {network.name} {network.description} {network.reference}".casefold()
        if all(word.casefold() in text for word in arguments.words):
            found.append((name, network))
    if not found:
        raise RFStudioError(f"no preset has the words: {' '.join(arguments.words)}")
    writer = terminal.WRITERS[arguments.format]
    if isinstance(writer, TableWriter):
        sys.stdout.write(writer.table(presets_table(found), "Presets"))
    else:
        sys.stdout.write(presets_json(found))
    return 0


def analyze(arguments: argparse.Namespace) -> int:
    """Print the fields of all layers, or one layer and one of its units."""
    network = load_network(arguments)
    options = {
        "reference": arguments.reference,
        "batch_norm_training": arguments.batch_norm_training,
        "ignore_gates": arguments.ignore_gates,
    }
    analysis = api.analyze(network, **options)
    if arguments.repair:
        network, changes = repaired(analysis)
        analysis = api.analyze(network, **options)
        for change in changes:
            print(f"rfstudio: repaired: {change}", file=sys.stderr)
    unit = unit_of(analysis, arguments)
    layers = analysis.layers
    if unit is not None and arguments.layer is not None:
        layers = (analysis[arguments.layer],)
    writer = terminal.WRITERS[arguments.format]
    in_words = unit is not None and isinstance(writer, terminal.TerminalTables)
    if arguments.local and isinstance(writer, TableWriter) and not in_words:
        sys.stdout.write(writer.table(analysis_table(layers, local=True)))
        return _status(analysis)
    answers = _answers(analysis, unit, arguments)
    contents = Contents(layers, unit, arguments.reference, answers)
    sys.stdout.write(writer.analysis(analysis, contents))
    return _status(analysis)


def _answers(
    analysis: Analysis, unit: UnitView | None, arguments: argparse.Namespace
) -> dict[str, object]:
    """Return the extras: of a layer its closed form; and what was asked of a pixel or a block."""
    found: dict[str, object] = {}
    if arguments.layer is not None:
        layer = analysis[arguments.layer]
        found["closed_form"] = closed_form_record(layer.closed_form)
        others = (*layer.other_numbers, *(() if unit is None else unit.other_numbers))
        found["other_numbers"] = other_numbers_record(others)
    if arguments.pixel is None and arguments.units is None and not arguments.paths:
        return found
    if arguments.layer is None and not analysis.layers:
        raise RFStudioError(f"'{analysis.architecture.name}' has no layers")
    path = arguments.layer or analysis.layers[-1].name
    axes = len(analysis.input_size)
    for option, values in (("--pixel", arguments.pixel), ("--units", arguments.units)):
        if values is not None and len(values) != axes:
            raise UsageError(f"{option} takes {numbers(axes)} for '{path}', not {len(values)}")
    if arguments.paths and arguments.layer is None:
        found["path_lengths"] = path_lengths_record(analysis.layers)
    if arguments.paths:
        position = None if unit is None else unit.position
        found["paths"] = paths_record(api.path_shares(analysis, path, position), analysis.axes)
        found["phase_contrast"] = _phase_contrast(analysis, path, position)
    if arguments.pixel is not None:
        found["pixel"] = pixel_record(analysis.projective(path, arguments.pixel))
    if arguments.units is not None:
        first, last = zip(*arguments.units, strict=True)
        found["block"] = block_record(analysis.block(path, first, last), analysis.axes)
    return found


def _phase_contrast(
    analysis: Analysis, path: str, position: tuple[int, ...] | None
) -> dict[str, float | None] | None:
    """Return the phase contrast of an expected field; None if there is no such field."""
    try:
        return api.expected_erf(analysis, path, position).metrics.phase_contrast
    except RFStudioError:
        return None


def tiles(arguments: argparse.Namespace) -> int:
    """Print how an image may be cut into tiles whose results equal those of the whole."""
    size = arguments.image if arguments.input_size is None else arguments.input_size
    network = opened(arguments.network, size, trust=arguments.trust)
    plan = api.tiles(network, arguments.layer, tile=arguments.tile, image=arguments.image)
    sys.stdout.write(terminal.WRITERS[arguments.format].report(tiles_report(plan)))
    return 0


def advise(arguments: argparse.Namespace) -> int:
    """Print which layers see all of an object, and what could be changed."""
    found = api.advise(
        load_network(arguments),
        arguments.object,
        arguments.objects,
        task=arguments.task,
        layers=arguments.layers,
    )
    sys.stdout.write(terminal.WRITERS[arguments.format].report(advice_report(found)))
    return 0


def _status(analysis: Analysis) -> int:
    """Report what prevents the network from running; it is analysed all the same."""
    errors = [x for x in analysis.diagnostics if x.severity == "error"]
    for error in errors:
        print(one_line(f"rfstudio: {error.message}"), file=sys.stderr)
    return 1 if errors else 0


def convert(arguments: argparse.Namespace) -> int:
    """Write a network in the format of its output file."""
    from rfstudio.formats.networks.network_files import WRITERS

    output = output_of(arguments, NETWORKS, "a network")
    assert output is not None
    output.write(WRITERS[output.suffix](load_network(arguments)).encode())
    return 0


def compare(arguments: argparse.Namespace) -> int:
    """Print one row a network, and draw how their fields grow."""
    output = output_of(arguments, FIGURES, "a figure")
    if arguments.networks.count(STREAM) > 1:
        raise UsageError("standard input can be read once: - may be one of the networks")
    analyses = [
        api.analyze(opened(name, arguments.input_size, trust=arguments.trust))
        for name in arguments.networks
    ]
    if output is not None:
        from rfstudio.figures import growth_of, render_growth

        curves = [
            growth_of(name, analysis)
            for name, analysis in zip(arguments.networks, analyses, strict=True)
        ]
        output.write(render_growth(curves, output.suffix))
    if output is None or output.path is not None:
        writer = terminal.WRITERS.get(arguments.format, terminal.TABLES)
        named = dict(zip(arguments.networks, analyses, strict=True))
        sys.stdout.write(writer.comparison(named))
    return max(map(_status, analyses), default=0)


COMMANDS: Mapping[str, Callable[[argparse.Namespace], int]] = MappingProxyType(
    {
        "presets": presets,
        "analyze": analyze,
        "tiles": tiles,
        "advise": advise,
        "figure": drawing.figure,
        "compare": compare,
        "convert": convert,
    }
)
"""The functions of these commands, by their words."""
