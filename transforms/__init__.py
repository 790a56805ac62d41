"""What is done to the data: deliveries to accepted rows to posts to documents to a snapshot.

Pure functions over files and tables. Nothing here imports Dagster or reads the environment.
"""
