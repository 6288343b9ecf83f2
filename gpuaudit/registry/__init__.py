"""The history of evidence and results: SQLite by default, PostgreSQL by URL."""
