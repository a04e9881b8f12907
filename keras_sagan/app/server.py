"""The server of the page."""

import os
import socket

from keras_sagan.app.middleware import RequestLimits
from keras_sagan.app.page import build_app
from keras_sagan.app.page import require_gradio

_CSS = (
    "img {image-rendering: pixelated} #walk img {width: 100%; max-width: 384px}"
)


def serve(
    model, class_names=None, host="127.0.0.1", port=7860, block=True, **kwargs
):
    """Serves a web page to try out a model in a browser.

    On the page, you can choose the classes, the number of images, the seed and
    the truncation; click an image and then a point in it, to see what that
    point attends to; and walk between two seeds. The page fetches nothing from
    other hosts and accepts no uploads. Requests are answered one after the
    other; at most 32 of them can wait.

    Args:
        model: A `SAGAN`.
        class_names: A string for each class. Defaults to their numbers.
        host: Address to listen on. With the default, only this machine can open
            the page; there is no password.
        port: Port to listen on. If `None`, a free one from 7860 on.
        block: Whether to return only when the process is interrupted.
        **kwargs: Arguments of `gradio.Blocks.launch`.

    Returns:
        The `gradio.Blocks`. If `block` is False, its `close()` stops the
        server.

    Raises:
        ImportError: If Gradio is not installed.
        OSError: If the port is taken.

    Example:

    >>> model = keras_sagan.SAGAN.from_preset("digits", weights=True)
    >>> page = keras_sagan.app.serve(model, port=None, block=False)
    >>> page.is_running
    True
    >>> page.close(verbose=False)
    """
    gradio = require_gradio()
    if port is not None:
        _check_port(host, port)
    page = build_app(model, class_names)
    from starlette.middleware import Middleware

    page.launch(
        server_name=host,
        server_port=port,
        prevent_thread_lock=not block,
        share=False,
        quiet=not block,
        footer_links=[],
        ssr_mode=False,
        state_session_capacity=64,
        max_file_size=1,
        app_kwargs={
            "middleware": [
                Middleware(RequestLimits, host=host, sends=_sends(page))
            ]
        },
        # Fonts of the system, because those of the theme are on another host.
        theme=gradio.themes.Default(
            font=["system-ui", "sans-serif"], font_mono=["monospace"]
        ),
        css=_CSS,
        **kwargs,
    )
    return page


def _sends(page):
    """Returns a function that tells whether the page sends a given request.

    Gradio prints a traceback for some requests that the page does not send.
    """

    def sends(content):
        function = page.fns.get(content["fn_index"])
        data = content["data"]
        if function is None or len(data) != len(function.inputs):
            return False
        for component, value in zip(function.inputs, data):
            if component.get_block_name() == "radio":
                values = [value for _, value in component.choices]
                if value is not None and value not in values:
                    return False
        if function.name not in ("choose", "look"):
            return True
        # What was clicked: one of the images, or a point.
        event = content.get("event_data") or {}
        index = event.get("index")
        if function.name == "look":
            numbers = index if isinstance(index, list) else ()
            whole = len(numbers) == 2 and all(type(i) is int for i in numbers)
        else:
            whole = type(index) is int
        return whole and "value" in event

    return sends


def _check_port(host, port):
    """Raises an `OSError` if the port is not available.

    Gradio would find out only after the model has been compiled.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        if os.name == "posix":  # Elsewhere this would take a port in use.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise OSError(
                f"the page cannot listen on port {port} of {host} "
                f"({error.strerror}): choose another port"
            ) from error
