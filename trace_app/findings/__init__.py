"""What the rules found out about lots and certificates: history, waivers, and telling of it by e-mail and webhook."""
