"""The document as a tree of layers, and the flat graph that it expands to."""
