"""Reading what is published: documents of a part, and nothing computed.

Imports neither ``transforms`` nor ``pipelines``: a server needs only this and ``schemas``.
"""
