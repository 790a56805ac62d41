"""How JSON text is put together from columns, by compiled loops.

Here: shapes and bytes. Not here: which fields a document has (``build.fragments``).
"""
