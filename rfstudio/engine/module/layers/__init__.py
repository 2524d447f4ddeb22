"""The operations of a network as torch modules that can evaluate any box of their map."""
