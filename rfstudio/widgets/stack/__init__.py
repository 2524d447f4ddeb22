"""The panel of layers: the network as a tree that can be edited."""
