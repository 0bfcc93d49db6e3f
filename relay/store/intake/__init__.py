"""Accepting a write: one transaction checks it, moves *desired* and keeps the change."""
