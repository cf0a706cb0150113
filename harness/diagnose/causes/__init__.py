"""The cause of every failing variant, with its evidence. Pure."""
