"""Who is told what of the nights: messages to the operator's webhook, and figures for Prometheus.

``night`` and ``clock`` say what there is to tell, of what ``seen`` reads in a home; ``outbox`` keeps it until the
receiver has it; ``sender`` posts it; ``telling`` puts these together; ``metrics`` writes ``<home>/metrics.prom``.
Nothing here holds a part's number, a name or an account: only codes and their sentences, sources, delivery numbers,
counts and dates.
"""
