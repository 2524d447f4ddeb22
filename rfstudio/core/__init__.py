"""Receptive fields of any network: plain Python and numpy, pure and immutable."""
