"""The Python interface, which window and command line use too, for notebooks and scripts.

Nothing here imports Qt; torch is imported only by what measures or builds with it, and large
modules only at their first use.  Results as values are in `rfstudio.api.measured`.
"""

from rfstudio.api.attending import attention, attentions
from rfstudio.api.expected import expected_erf, expected_erf_of, path_counts
from rfstudio.api.measuring import COMPUTED, erf, erfs, measure, measure_resumed
from rfstudio.api.modules import to_torch
from rfstudio.api.networks import Network, analyze, load, presets
from rfstudio.api.notebook import NotebookPresenter
from rfstudio.api.path_energies import path_shares
from rfstudio.api.regions import advise, tiles
from rfstudio.api.spread import erf_spread
from rfstudio.core.shown import register

__all__ = [
    "COMPUTED",
    "Network",
    "advise",
    "analyze",
    "attention",
    "attentions",
    "erf",
    "erf_spread",
    "erfs",
    "expected_erf",
    "expected_erf_of",
    "load",
    "measure",
    "measure_resumed",
    "path_counts",
    "path_shares",
    "presets",
    "tiles",
    "to_torch",
]

register(NotebookPresenter())
