"""Clips of what was done: received in parts, looked at, and added to records."""
