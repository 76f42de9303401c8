"""Sphinx configuration: every page is strict, every `{doctest}` block in a page is run."""

from __future__ import annotations

import retrograd

project = "retrograd"
author = "The retrograd authors"
copyright = "2026, The retrograd authors"
version = release = retrograd.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.doctest",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
]
exclude_patterns = ["_build"]
source_suffix = {".md": "markdown"}
myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

# Single backticks in docstrings are code, as in the pages.
default_role = "code"

html_theme = "furo"
html_title = "retrograd"
html_static_path = ["_static"]
html_css_files = ["pages.css"]

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
add_module_names = False
napoleon_google_docstring = True
napoleon_numpy_docstring = False

# pytest runs the examples in docstrings, with their module's names; here only the pages' own.
doctest_test_doctest_blocks = ""

# References into the project must resolve. Those into Python, NumPy and others cannot without
# their inventories, which a build without a network does not have.
nitpicky = True
# An annotation names the file where a class is defined; the pages describe it in its room.
nitpick_ignore_regex = [
    ("py:.*", r"(?!retrograd\.).*"),
    ("py:class", r"retrograd(\.\w+){3,}"),
]
