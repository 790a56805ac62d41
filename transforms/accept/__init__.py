"""Takes deliveries in: what lies in the inbox, what is wrong with it, typed rows of what is good.

Here: files, values, and all that a delivery can tell by itself (CONTRACT sections 1, 2.1 and 2.2.1), and which
deliveries are in force. Not here: what depends on rows of others (``check``).
"""
