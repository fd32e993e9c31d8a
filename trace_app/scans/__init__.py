"""How often lots' labels are scanned, by day and region."""
