"""What figures mean (CONTRACT section 3): money, reference data, interest, balances and totals.

Here: pure functions of frames. Not here: files but the reference data's, and which rows count.
"""
