"""How lots become lots: which went into which, with quantities, forward and backward."""
