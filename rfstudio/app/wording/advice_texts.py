"""Advice as tables and sentences, the same in the window and on the command line."""

from __future__ import annotations

from rfstudio.core.advice.covers import Advice
from rfstudio.formats.tables.analysis_tables import Table
from rfstudio.formats.tables.answer_records import advice_facts, levels_table, proposals_table

__all__ = ["Table", "advice_sentences", "levels_table", "proposals_table", "rules_table"]

_MET = {True: "yes", False: "no", None: "–"}


def advice_sentences(advice: Advice) -> str:
    """Return the short answers, one a line."""
    facts = [x for x in advice_facts(advice) if not x[0].startswith("rule")]
    return "\n".join(f"{name}: {text}" for name, text in facts)


def rules_table(advice: Advice) -> Table:
    """Return the rules of the task, one row each."""
    rows = tuple((_MET[x.is_met], x.rule, x.finding, x.source) for x in advice.rules)
    return Table(("met", "rule", "this network", "source"), rows, (False,) * 4)
