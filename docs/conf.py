"""Configuration of the site: Sphinx, MyST-NB, Furo.

``make docs`` executes every chapter and builds the site; warnings are errors.
"""

import os
import sys
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

import ctckit

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_extensions"))

project = "ctckit"
version = release = ctckit.__version__
author = "The ctckit developers"
copyright = "the ctckit developers, MIT license"  # noqa: A001

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "mathml",  # these seven are in _extensions
    "short_types",
    "untyped_returns",
    "reference_pages",
    "live_lattice",
    "downloads",
    "quick_build",
]
exclude_patterns = [
    "*.py",
    "_extensions",
    "_figures",
    "learn/_*.py",
    "learn/ctc.py",
    "tasks/*.py",
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
os.environ.setdefault("CTCKIT_LEARN_CACHE", str(HERE.parent / "build" / "learn"))

# Code is copied without its prompts and without what it prints.
copybutton_prompt_text = r">>> |\.\.\. ?|\$ "
copybutton_prompt_is_regexp = True
copybutton_selector = "div.highlight:not(.cell_output div) > pre"

# The chapters in learn/zh import what those in learn have beside them.
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(HERE / "learn"), os.environ.get("PYTHONPATH"))))

html_math_renderer = "mathml"
html_theme = "furo"
html_title = f"ctckit {version}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = ["fit.js"]
html_show_sphinx = False
html_sourcelink_suffix = ""
html_search_scorer = str(HERE / "_extensions" / "search_scorer.js")
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#2a6f97", "color-brand-content": "#2a6f97"},
    "dark_css_variables": {"color-brand-primary": "#7fb8da", "color-brand-content": "#7fb8da"},
}

# A page links to its source and to its editor in the repository, where this is known; else to a copy of its source.
repository = os.environ.get("READTHEDOCS_GIT_CLONE_URL", os.environ.get("CTCKIT_REPOSITORY", ""))
if repository.startswith("https://"):
    html_theme_options |= {
        "source_repository": repository.removesuffix(".git"),
        "source_branch": os.environ.get("READTHEDOCS_GIT_IDENTIFIER", "main"),
        "source_directory": "docs/",
    }

python_maximum_signature_line_length = 88
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True


def set_language(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Say that a page is Chinese: browsers choose the shapes of its characters by that."""
    if page.startswith("learn/zh/"):
        context["language"] = "zh-Hans"


def setup(app: Sphinx) -> None:
    """Register the hook."""
    app.connect("html-page-context", set_language)
