"""All sources together: which rows are good posts, which parts the others hold back, what is reported.

Here: verdicts on rows (CONTRACT 2.2.2-2.2.5), whom they lead to, and the findings as a table. Not here: what stops a
night (``transforms.stops``), and what a delivery can tell by itself (``accept``).
"""
