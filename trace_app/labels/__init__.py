"""Label runs and the files printed from them."""
