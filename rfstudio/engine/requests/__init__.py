"""Requests and results of measurements, as plain values, without torch."""
