"""What is to be measured and what came out, as plain values, without torch."""
