"""The list of what is wrong: with the network that is open, and with a file that was not opened."""
