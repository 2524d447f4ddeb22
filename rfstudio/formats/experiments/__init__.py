"""Experiments as files: recipes, and the ledger of what was found."""
