"""What goes in (the manifest) and what goes out (the update)."""
