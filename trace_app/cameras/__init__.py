"""Cameras at sites: a picture now and then, one of each day for the life of a lot, and a word when one fails."""
