"""Experiments in the window: running them in the worker, and what is known of them."""
