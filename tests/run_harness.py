"""`python run_harness.py COMMAND …`: the real command line with the fake probe in place of the real one."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

try:
    import noted

    from harness.cli import main
    from harness.execution.process import sandbox
    from harness.tasks import keys
except KeyboardInterrupt:  # as `python -m harness`, which imports less before that
    sys.exit(130)

if __name__ == "__main__":
    keys.PROBE = Path(__file__).resolve().parent / "fake_probe" / "__main__.py"
    sandbox.rights = noted.allowing(in_store=True)
    sys.exit(main(sys.argv[1:]))
