"""What things look like: the delivered tables, the manifests, the four documents, the codes.

Here belongs every column, field and code, once. Nothing here reads a file or computes a figure.
"""
