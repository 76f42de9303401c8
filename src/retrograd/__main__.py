"""`python -m retrograd`: the command line."""

from __future__ import annotations

import sys

from retrograd.cli import main

sys.exit(main())
