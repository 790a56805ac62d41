"""Synthetic deliveries to try the system on: realistic, all good, and the same for the same seed."""
