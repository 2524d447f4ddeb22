"""Words that several commands accept, written out so that help need not import the formats."""

FORMATS = ("table", "json", "csv", "markdown", "latex")
"""Of what is printed."""

FIGURES = ("png", "svg", "pdf")
"""Of figures."""

FIGURE_KINDS = (
    "fields",
    "growth",
    "field",
    "comparison",
    "difference",
    "network",
    "convergence",
    "film",
    "attention",
    "tiles",
    "pixel",
    "lesson",
)
"""What figures show."""

MAPS = ("tiff", "png16", "npz", *FIGURES)
"""Of effective fields: numbers, and figures; png16 is a gray PNG of 16 bits."""

ATTENTION = ("npz", *FIGURES)
"""Of measured attention."""

NETWORKS = ("yaml", "py")
"""Of networks."""

SHELLS = ("bash", "zsh", "fish")
"""For which there is a script of completions."""

STREAM = "-"
"""Standard input or standard output instead of a file."""
