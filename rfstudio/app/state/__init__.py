"""What is open, chosen and remembered."""
