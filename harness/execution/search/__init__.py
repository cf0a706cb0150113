"""The choice of cells for a run that does not run all of them."""
