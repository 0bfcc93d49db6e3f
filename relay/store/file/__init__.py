"""The one SQLite file: its lock, schema, threads, transactions and copies."""
