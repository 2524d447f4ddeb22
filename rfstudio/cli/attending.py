"""The command that measures attention."""

from __future__ import annotations

import argparse
import sys
import time

from rfstudio.api.attending import attentions_of
from rfstudio.cli import terminal
from rfstudio.cli.measuring import check_place, photos_given
from rfstudio.cli.output import command_of, output_of
from rfstudio.cli.progress import Progress
from rfstudio.cli.resolving import load_network, make_ready
from rfstudio.cli.usage import UsageError
from rfstudio.cli.words import ATTENTION
from rfstudio.core.initialisations import DEFAULT
from rfstudio.engine.requests.request import ErfRequest
from rfstudio.formats.tables.attention_tables import (
    attention_npz,
    attention_record,
    attention_table,
)
from rfstudio.formats.tables.found_by import report_of


def attention(arguments: argparse.Namespace) -> int:
    """Print attention distances by head or by layer, and write the maps of a query."""
    output = output_of(arguments, ATTENTION, "attention")
    if output is not None and output.path is not None:
        check_place(output.path)
    if arguments.unit is not None and not arguments.layers:
        raise UsageError("--unit needs --layer PATH")
    network = load_network(arguments)
    request = ErfRequest(
        architecture=network,
        layer="",
        unit=arguments.unit,
        input_size=arguments.input_size,
        images=photos_given(arguments),
        weights=arguments.weights or "random",
        init=arguments.init or DEFAULT,
        seed=arguments.seed,
        samples=arguments.samples,
        dtype=arguments.dtype,
        device=arguments.device,
    )
    make_ready(request.weights)
    is_chosen = arguments.weights is not None or arguments.init is not None
    start = time.perf_counter()
    with Progress() as report:
        found = attentions_of(request, arguments.layers or None, is_chosen=is_chosen, report=report)
    seconds = time.perf_counter() - start
    name = network.name or "network"
    record = {"command": command_of(arguments)} | attention_record(name, found, seconds)
    title = name if len(found) > 1 else f"{name}, {found[0].layer}"
    if output is not None and output.suffix == ".npz":
        output.write(attention_npz(found, record))
    elif output is not None:
        from rfstudio.api.attending import view_of_request
        from rfstudio.figures import Content, FigureStyle, render_kind

        view = view_of_request(request, found)
        style = FigureStyle(width_mm=174)
        output.write(render_kind("attention", Content(attention=view), output.suffix, style))
    if output is None or output.path is not None:
        writer = terminal.WRITERS.get(arguments.format, terminal.TABLES)
        digits, missing = terminal.digits_of(writer)
        table = attention_table(found, digits, missing)
        if isinstance(writer, terminal.TerminalTables):
            text = writer.found(table, record)
        else:
            text = writer.report(report_of(record, title, table))
        sys.stdout.write(text)
    return 0
