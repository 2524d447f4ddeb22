"""The window in which a network is trained and its field is watched."""
