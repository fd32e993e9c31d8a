"""Organisations, users, roles, jurisdiction, tokens, and who did what."""
