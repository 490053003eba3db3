"""Configuration of the site: Sphinx, MyST-NB, Furo.

``make docs`` executes every chapter and builds the site; warnings are errors.
"""

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_extensions"))

project = "ctckit"
author = "The ctckit developers"
copyright = "the ctckit developers, MIT license"  # noqa: A001

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "mathml",  # these four are in _extensions
    "short_types",
    "reference_pages",
    "live_lattice",
]
exclude_patterns = [
    "*.py",
    "_extensions",
    "_figures",
    "learn/data",
    "learn/_*.py",
    "learn/ctc.py",
    "images",
    "**/.ipynb_checkpoints",
]

# A chapter is a Python file in percent format. MyST-NB executes it to make the page.
nb_custom_formats = {".py": ["jupytext.reads", {"fmt": "py:percent"}]}
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 900
nb_execution_show_tb = True
nb_merge_streams = True
nb_output_stderr = "remove-warn"
nb_code_prompt_show = "Show the code"
nb_code_prompt_hide = "Hide the code"
myst_enable_extensions = ["dollarmath", "smartquotes"]
myst_heading_anchors = 3
suppress_warnings = ["ref.python"]  # a short name of a type may also be the name of an adapter's type
os.environ.setdefault("OMP_NUM_THREADS", "2")

html_math_renderer = "mathml"
html_theme = "furo"
html_title = "ctckit"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_copy_source = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#2a6f97", "color-brand-content": "#2a6f97"},
    "dark_css_variables": {"color-brand-primary": "#7fb8da", "color-brand-content": "#7fb8da"},
}

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
