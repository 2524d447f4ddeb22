"""Networks as PyTorch source."""
