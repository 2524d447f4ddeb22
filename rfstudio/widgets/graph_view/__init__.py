"""The graph of layers, laid out and drawn."""
