"""The parts that need torch: modules built from a graph, and measured receptive fields."""
