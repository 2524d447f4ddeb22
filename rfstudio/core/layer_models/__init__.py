"""Models of one layer of a random network: what it does to gradients and to values."""
