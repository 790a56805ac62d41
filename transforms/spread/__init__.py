"""Chooses the parts whose documents can differ, and spreads their posts over buckets of households.

Here: whom to build, whom to give the new date, and the buckets' files. Not here: making documents (``build``).
"""
