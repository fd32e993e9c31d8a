"""Backups at the terminal: the database, photos and files, and the keys apart from both."""
