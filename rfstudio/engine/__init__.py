"""Everything that needs torch: modules built from a graph, and measured receptive fields."""
