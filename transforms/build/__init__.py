"""Makes the documents: of one bucket of households, of parts whom only the date moves, and those carried over.

Here: from a bucket's rows to frames and table rows. Not here: how text is put together (``text``), what figures mean
(``rules``), and adding them up again (``reconcile``).
"""
