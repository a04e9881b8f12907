"""A page to play with a model, in a browser.

keras-sagan serve MODEL

MODEL is a .keras file, a folder with model.keras, or hf://owner/name. Classes
go by the names in a classes.json beside it. Only this machine sees the page,
unless --host says otherwise; there is no password.
"""

import contextlib

from absl import flags

from keras_sagan.cli.models import load_model
from keras_sagan.cli.parsing import parse


def main(arguments):
    values = flags.FlagValues()
    flags.DEFINE_integer(
        "port",
        7860,
        "Port to listen on.",
        lower_bound=1,
        upper_bound=65535,
        flag_values=values,
    )
    flags.DEFINE_string(
        "host", "127.0.0.1", "Address to listen on.", flag_values=values
    )
    (name,) = parse(values, __doc__, arguments, ["MODEL"])
    from keras_sagan import app

    model, class_names = load_model(name)
    print("Compiling")
    # While the page runs, Gradio takes Ctrl-C itself; not while it starts.
    with contextlib.suppress(KeyboardInterrupt):
        app.serve(model, class_names, values.host, values.port)
