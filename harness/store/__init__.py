"""Results and artifacts by content: atomic, crash-safe, shared between processes and machines."""
