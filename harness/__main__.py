# PYTHON_ARGCOMPLETE_OK
"""`python -m harness`."""

import sys

from harness.cli import main

if __name__ == "__main__":  # a process that dask starts imports this file too
    sys.exit(main())
