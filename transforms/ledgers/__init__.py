"""What the ledgers say tonight, as relations in a DuckDB connection: all of it, or what is around tonight's changes.

Here: the rows in force, which of them are looked at, and the good posts among them when it is known which are refused.
A stage opens a connection, creates here what it needs, and closes it: no relation outlives a stage, and within a
connection none is created twice. Not here: verdicts (``check``), and whose documents are made (``spread``).
"""
