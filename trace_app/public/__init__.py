"""What needs no login: home, trace pages, recall notices, photos."""
