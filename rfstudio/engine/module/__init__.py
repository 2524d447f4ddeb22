"""Networks as torch modules: every layer, its weights at the start, boxes of maps."""
