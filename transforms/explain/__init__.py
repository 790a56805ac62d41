"""How a published figure came to be, out of the analysts' database: from the delivered rows to the document.

Nothing here is part of a night.
"""
