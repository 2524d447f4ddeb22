"""Advice on a network: which layers see objects of a size, and changes that help."""
