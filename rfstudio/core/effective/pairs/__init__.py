"""Pairs of gradients that depend on each other: where they count, and what they add."""
