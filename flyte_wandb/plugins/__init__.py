"""Finding plugins, and asking them."""
