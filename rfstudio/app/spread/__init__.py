"""The fields of the chosen unit on each of several images."""
