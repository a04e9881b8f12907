"""How Sphinx builds the site: `make docs`."""

import inspect
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import api
import diagram

import keras_sagan

project = "keras_sagan"
author = "the keras_sagan authors"
release = version = keras_sagan.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    # Its folder has MathJax, so that no script comes from elsewhere.
    "sphinx-mathjax-offline",
    "sphinx_copybutton",
]
# Results of runs, and the table.md that `ablation_report.py` adds to them.
exclude_patterns = ["ablation_letters"]
html_theme = "furo"
html_show_copyright = False
html_title = f"keras_sagan {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_theme_options = {"navigation_with_keys": True}

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "cache"
nb_execution_in_temp = True
nb_execution_timeout = 300
nb_execution_raise_on_error = True
nb_merge_streams = True
nb_output_stderr = "remove"  # What the frameworks say about the machine.

autodoc_typehints = "none"
autodoc_member_order = "bysource"
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_custom_sections = [("Call arguments", "params_style")]
add_module_names = False
# `name` in a docstring links to the page of that name, where there is one.
default_role = "py:obj"


def setup(app):
    """Writes the pages that are not files of `docs/`, before all are read."""
    docs = pathlib.Path(app.srcdir)
    app.connect("autodoc-process-signature", _signature_of_init)
    app.connect("autodoc-process-docstring", _without_model)
    api.write_pages(docs / "api")
    diagram.draw(docs / "networks.svg")


def _signature_of_init(app, what, name, obj, options, signature, returns):
    """Shows the arguments of `__init__`, which Keras' `__new__` hides."""
    del app, name, options
    if what == "class" and signature == "(*args, **kwargs)":
        parameters = list(inspect.signature(obj.__init__).parameters.values())
        signature = str(inspect.Signature(parameters[1:]))
    return signature, returns


def _without_model(app, what, name, obj, options, lines):
    """Leaves out the first argument of functions that are methods."""
    del app, name, obj, options
    if what != "method":
        return
    kept, leaving_out = [], False
    for line in lines:
        leaving_out = line.startswith(":param model:") or (
            leaving_out and line.startswith(" ")
        )
        if not leaving_out:
            kept.append(line)
    lines[:] = kept
