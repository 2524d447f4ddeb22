"""The parts of the edits: names that keep their meaning while items move."""
