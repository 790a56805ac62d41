"""What lies in a home and how: accepted rows, snapshots, the published one, reports of runs, the lock.

Here: forms on disk, and reading and writing them whole or not at all. Not here: what is written in them.
"""
