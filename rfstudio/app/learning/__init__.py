"""Lessons and the glossary: how receptive fields are understood by changing networks."""
