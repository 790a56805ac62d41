"""What is published, read and served over HTTP: documents of a part, and nothing computed.

Imports neither ``transforms`` nor ``pipelines``: a server needs only this and ``schemas``.
"""
