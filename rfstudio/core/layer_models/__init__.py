"""What one layer of a random network does to gradients and to values; networks are elsewhere."""
