"""Where measurements run: the worker process, ranks, devices, cancelling."""
