"""Deterministic decisions: what happens when, and what is undone."""
