"""Photos that come after what they belong to: told of with it, then sent part by part as the line allows."""
