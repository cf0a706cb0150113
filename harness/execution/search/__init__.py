"""Which cells a run asks when it does not ask all of them."""
