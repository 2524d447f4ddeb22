"""RF Studio shows exactly what a unit of a vision network sees.

The names below are the whole public interface; each loads what it needs when it is first used, so
that ``import rfstudio`` costs nothing: neither Qt nor torch nor matplotlib.

Examples
--------
>>> import rfstudio
>>> analysis = rfstudio.analyze(rfstudio.load("vgg16"))
>>> analysis["conv3_3"].rf_size
(40, 40)
"""

TYPE_CHECKING = False  # as typing has it, which takes longer to import than all the rest here

if TYPE_CHECKING:
    from rfstudio.api import (
        advise,
        analyze,
        attention,
        attentions,
        erf,
        erf_spread,
        erfs,
        expected_erf,
        load,
        path_counts,
        path_shares,
        presets,
        tiles,
        to_torch,
    )
    from rfstudio.api.figures import figure
    from rfstudio.core.errors import RFStudioError
    from rfstudio.experiments.interface import experiment

__version__ = "0.1.0"

__all__ = [
    "RFStudioError",
    "__version__",
    "advise",
    "analyze",
    "attention",
    "attentions",
    "erf",
    "erf_spread",
    "erfs",
    "expected_erf",
    "experiment",
    "figure",
    "load",
    "path_counts",
    "path_shares",
    "presets",
    "tiles",
    "to_torch",
]


def __getattr__(name: str) -> object:
    """Load a public name when it is first used (PEP 562)."""
    if name == "RFStudioError":
        from rfstudio.core.errors import RFStudioError

        return RFStudioError
    if name == "figure":
        from rfstudio.api.figures import figure

        return figure
    if name == "experiment":
        from rfstudio.experiments.interface import experiment

        return experiment
    if name in __all__:
        from rfstudio import api

        return getattr(api, name)
    raise AttributeError(f"module 'rfstudio' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
