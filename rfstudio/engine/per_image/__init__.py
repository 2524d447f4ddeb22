"""Fields of one unit on each of several images."""
