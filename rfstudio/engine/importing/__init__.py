"""Modules of torch as records of operations, and measurements on the modules themselves."""
