"""QR labels: codes, symbols, layouts and label files. Knows no Flask and no database."""
