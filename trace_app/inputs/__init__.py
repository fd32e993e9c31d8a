"""Farm inputs: products with what their labels allow, and the stock of them by lot."""
