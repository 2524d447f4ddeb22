"""The panel that shows and edits one layer: its parameters above, its numbers below."""
