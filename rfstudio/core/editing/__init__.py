"""Edits of an architecture, in which names keep their meaning while items move."""
