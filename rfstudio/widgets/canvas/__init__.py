"""The canvas: the input image, and on it what one unit sees."""
