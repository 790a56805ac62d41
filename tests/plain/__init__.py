"""A plain reading of the contract, row by row: what the fast system is compared with.

Belongs here: ordinary Python that follows CONTRACT.md sentence by sentence, and helpers that write
deliveries for tests. Does not belong here: anything imported from the system itself.
"""
