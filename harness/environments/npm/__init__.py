"""npm as a provider: packages of Node.js, for a runtime that is no distribution of Python. No other package calls npm."""
