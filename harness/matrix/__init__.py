"""matrix.toml → cells and their variants. Pure: no network, nothing installed."""
