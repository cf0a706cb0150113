"""The values of packaging_values.py as types that pydantic checks."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from harness.packaging_values import LONGEST, cell_id, distribution_name, exact_version, python_version

DistributionName = Annotated[str, AfterValidator(distribution_name)]
ExactVersion = Annotated[str, AfterValidator(exact_version)]
PythonVersion = Annotated[str, AfterValidator(python_version)]
CellId = Annotated[str, AfterValidator(cell_id)]
FileHash = Annotated[str, Field(pattern=r"^[a-z0-9]+:[0-9a-f]+$", max_length=LONGEST)]
"""`algorithm:hexdigest`, as in a lock."""
TorchBackend = Annotated[str, Field(pattern=r"^[a-z][a-z0-9.]*$")]
"""A value of uv's `--torch-backend`."""
