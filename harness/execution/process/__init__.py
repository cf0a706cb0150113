"""Probe processes: started, or forked from a server that has imported the packages."""
