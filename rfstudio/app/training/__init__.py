"""Trainings that are watched: options, the running one, and its film."""
