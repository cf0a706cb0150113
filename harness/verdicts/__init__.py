"""Results → verdicts → the data of a report. Pure."""
