"""Product kinds, products, sites and divisions."""
