"""How Sphinx builds the site: `make docs`."""

import inspect
import os
import pathlib
import sys

# One backend runs the code of the pages; the library is the same on all.
os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(pathlib.Path(__file__).parent))

import api  # noqa: E402
import keras_sagan  # noqa: E402

project = "keras_sagan"
author = "the keras_sagan authors"
release = version = keras_sagan.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
]
exclude_patterns = ["_build", "README.md"]
html_theme = "furo"
html_title = f"keras_sagan {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
# No font, script or picture comes from elsewhere: the site is read offline.
html_theme_options = {"navigation_with_keys": True}

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
mathjax_path = "mathjax/tex-mml-chtml.js"
nb_execution_mode = "cache"
nb_execution_timeout = 300
nb_execution_raise_on_error = True
nb_merge_streams = True

autodoc_typehints = "none"
autodoc_member_order = "bysource"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
add_module_names = False


def setup(app):
    """Writes a page for each public name before the others are read."""
    api.write_pages(pathlib.Path(__file__).parent / "api")
    app.connect("autodoc-process-docstring", _show_examples)


def _show_examples(app, what, name, obj, options, lines):
    """Calls our methods of `SAGAN` methods: their first argument is it."""
    del app, what, name, obj, options
    text = inspect.cleandoc("\n".join(lines))
    lines[:] = text.splitlines()
