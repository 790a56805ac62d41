"""Completes a snapshot for those who read it.

Here: the analysts' database. Not here: the switch itself and the form of a snapshot (``home``).
"""
