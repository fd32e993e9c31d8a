"""The regulator's desk: open recalls with their clocks, what is late, and a search that answers as one types."""
