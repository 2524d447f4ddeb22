"""The list of problems: remarks on the open network, and mistakes in a file that was not opened."""
