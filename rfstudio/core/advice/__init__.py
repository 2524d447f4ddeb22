"""What a network can be used for, and what could be changed: objects, covers, proposals."""
