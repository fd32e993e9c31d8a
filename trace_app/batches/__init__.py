"""Lots: their facts, life cycle and versions."""
