"""Recalls: issued by a regulator, shown on every affected label from the commit on."""
