"""Adapters for programs that were written for another library: `retrograd.compat.autograd`."""
