"""Photos and documents that the platform keeps in its media store."""
