"""Serve a web page to try out a model in a browser.

Example:
  keras-sagan serve MODEL

Only this machine can open the page unless --host says otherwise. There is no
password. Ctrl-C ends the server.
"""

import contextlib

from keras_sagan.cli import options
from keras_sagan.cli.models import load_model
from keras_sagan.cli.parsing import number


def add_arguments(parser):
    options.add_model(parser)
    parser.add_argument(
        "--port",
        metavar="N",
        type=number(int, 1, 65535),
        default=7860,
        help="Port to listen on. Default: %(default)s.",
    )
    parser.add_argument(
        "--host",
        metavar="ADDRESS",
        default="127.0.0.1",
        help="Address to listen on. Default: %(default)s.",
    )


def run(arguments):
    model, class_names = load_model(arguments.model)
    from keras_sagan import app

    print("Compiling the model")
    # Gradio handles Ctrl-C while the page runs, but not while it starts.
    with contextlib.suppress(KeyboardInterrupt):
        app.serve(model, class_names, arguments.host, arguments.port)
