"""The library of CEL, without the prompt of its command line: that is 0.3 s of each start, and 7 MB."""

import sys
from types import ModuleType

sys.modules.setdefault("cel.cli", ModuleType("cel.cli"))

import cel  # noqa: E402 # which imports its command line first of all

__all__ = ["cel"]
