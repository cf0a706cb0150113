"""The uv client: its calls, its errors, and the variables that reach it."""
