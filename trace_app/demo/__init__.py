"""Demonstration data: invented producers in real places, with full seasons. Never for production."""
