"""What was done to a lot: inputs, care, process steps, harvest; photos and video on them."""
