# PYTHON_ARGCOMPLETE_OK
"""`python -m harness`."""

import sys

try:
    from harness.cli import main
except KeyboardInterrupt:  # `main` says how Ctrl-C ends a command, and is not there yet
    sys.stderr.write("interrupted\n")
    sys.exit(130)

if __name__ == "__main__":  # a process that dask starts imports this file too
    sys.exit(main())
