"""Base class, column types and the transaction that a use case runs in."""
