"""The terminal screen: consumes Readings and shows them; keeps nothing and decides nothing."""
