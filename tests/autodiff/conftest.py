"""Modules that the tests reach by attribute."""

from __future__ import annotations

import retrograd.autodiff.box
import retrograd.extend

assert retrograd.autodiff.box
assert retrograd.extend
