"""uv, the provider of Python environments: its calls, its errors, and the variables that reach it."""
