"""What counties would have changed in the catalogues that all share, and the city's answers."""
