"""The page: its controls, and what they call."""

import functools

from keras_sagan import sizes
from keras_sagan.app.handlers import MAX_FRAMES
from keras_sagan.app.handlers import MAX_IMAGES
from keras_sagan.app.handlers import MAX_TRUNCATION
from keras_sagan.app.handlers import Handlers


def build_app(model, class_names=None):
    """Builds the page that `serve` serves.

    Args:
        model: A `SAGAN`.
        class_names: A string for each class. Defaults to their numbers.

    Returns:
        A `gradio.Blocks` with a queue.

    Raises:
        ImportError: If Gradio is not installed.

    Example:

    >>> model = keras_sagan.SAGAN.from_preset("digits", weights=True)
    >>> page = keras_sagan.app.build_app(model)
    >>> page.title
    'SAGAN, 16 pixels'
    """
    gradio = require_gradio()
    handlers = Handlers(model, class_names)
    handlers.warm_up()
    title = f"SAGAN, {sizes.text(model.resolution)}"
    with gradio.Blocks(
        title=title, analytics_enabled=False, delete_cache=(600, 3600)
    ) as page:
        gradio.Markdown(f"# {title}")
        with gradio.Tab("Images"):
            _images_tab(gradio, page, handlers)
        with gradio.Tab("Walk"):
            _walk_tab(gradio, handlers)
    page.queue(max_size=32, api_open=False)
    return page


def _images_tab(gradio, page, handlers):
    drawn = gradio.State(None, time_to_live=3600)  # Latents and labels.
    chosen = gradio.State(0, time_to_live=3600)
    with gradio.Row():
        with gradio.Column(scale=1):
            classes = gradio.Dropdown(
                handlers.class_names,
                multiselect=True,
                max_choices=MAX_IMAGES,
                label="Classes",
                info="Taken in turn. If empty, they are drawn with the seed.",
                visible=bool(handlers.class_names),
                elem_id="classes",
            )
            count = gradio.Slider(
                1, MAX_IMAGES, 8, step=1, label="Count", elem_id="count"
            )
            seed = _seed(gradio, "Seed", 0, "seed")
            truncation = _truncation(gradio, "truncation")
            button = gradio.Button("Generate", variant="primary", elem_id="go")
        with gradio.Column(scale=2):
            gallery = gradio.Gallery(
                show_label=False,
                columns=4,
                format="png",
                object_fit="contain",
                allow_preview=False,
                interactive=False,
                buttons=[],
                elem_id="gallery",
            )
            code = gradio.Markdown(elem_id="code")
    with gradio.Row(visible=bool(handlers.layers)):
        with gradio.Column(scale=1):
            layer = gradio.Radio(
                handlers.layers,
                value=next(iter(handlers.layers), None),
                label="Layer",
                visible=len(handlers.layers) > 1,
                elem_id="layer",
            )
            gradio.Markdown("Click one of the images, then a point in it.")
            image = _picture(gradio, "image")
        with gradio.Column(scale=2):
            gradio.Markdown("What that point attends to:")
            looks = _picture(gradio, "looks")

    def generate(classes, count, seed, truncation):
        latents, labels = handlers.draw(classes, count, seed, truncation)
        images = handlers.images(latents, labels)
        names = [None] * len(images)
        if labels is not None:
            names = [handlers.class_names[label] for label in labels]
        return (
            list(zip(handlers.pictures(images), names)),
            f"`{handlers.call(classes, len(images), int(seed), truncation)}`",
            (latents, labels),
            0,
            handlers.enlarged(images[0]),
            None,
        )

    def choose(drawn, event: gradio.SelectData):
        latents, label = _of(drawn, event.index)
        (image,) = handlers.images(
            [latents], None if label is None else [label]
        )
        return event.index, handlers.enlarged(image), None

    def look(drawn, chosen, layer, event: gradio.SelectData):
        latents, label = _of(drawn, chosen)
        scale = handlers.scale(384)
        x, y = (int(i) // scale for i in event.index)
        return handlers.attention(latents, label, x, y, layer)

    shown = [gallery, code, drawn, chosen, image, looks]
    event = functools.partial(_event, gradio)
    given = [classes, count, seed, truncation]
    event(page.load, generate, given, shown)
    event(button.click, generate, given, shown)
    event(gallery.select, choose, [drawn], [chosen, image, looks])
    event(image.select, look, [drawn, chosen, layer], [looks])


def _walk_tab(gradio, handlers):
    with gradio.Row():
        with gradio.Column(scale=1):
            name = gradio.Dropdown(
                handlers.class_names,
                value=next(iter(handlers.class_names), None),
                label="Class",
                visible=bool(handlers.class_names),
                elem_id="walk_class",
            )
            start = _seed(gradio, "From seed", 0, "start")
            end = _seed(gradio, "To seed", 1, "end")
            frames = gradio.Slider(
                4, MAX_FRAMES, 16, step=1, label="Frames", elem_id="frames"
            )
            truncation = _truncation(gradio, "walk_truncation")
            button = gradio.Button("Walk", variant="primary", elem_id="go_walk")
        with gradio.Column(scale=2):
            video = gradio.HTML(elem_id="walk", min_height=260)

    def walk(name, start, end, frames, truncation):
        video = handlers.walk(name, (start, end), frames, truncation)
        return f'<img alt="A walk between two seeds" src="{video}">'

    inputs = [name, start, end, frames, truncation]
    _event(gradio, button.click, walk, inputs, [video])


def _event(gradio, listener, function, inputs, outputs):
    """Runs a function on an event; only one function runs at a time."""

    @functools.wraps(function)
    def checked(*args):
        try:
            return function(*args)
        except ValueError as error:
            raise gradio.Error(str(error), print_exception=False) from error

    listener(
        checked,
        inputs,
        outputs,
        # `Handlers` checks the values; Gradio prints a traceback for bad ones.
        # But only Gradio's own preprocessing looks up the state of a page.
        preprocess=any(isinstance(x, gradio.State) for x in inputs),
        concurrency_limit=1,
        concurrency_id="model",
        api_visibility="private",
        show_progress="minimal",
    )


def _of(drawn, index):
    """Returns the latents and the label of one of the images."""
    if drawn is None:
        raise ValueError("Image: generate images first")
    latents, labels = drawn
    if not isinstance(index, int) or not 0 <= index < len(latents):
        raise ValueError(f"Image: must be from 0 to {len(latents) - 1}")
    return latents[index], None if labels is None else labels[index]


def _seed(gradio, label, value, name):
    # Without bounds, because Gradio logs a traceback for a number outside them.
    # `Handlers` checks the seed.
    return gradio.Number(value, label=label, precision=0, elem_id=name)


def _truncation(gradio, name):
    return gradio.Slider(
        0,
        MAX_TRUNCATION,
        0,
        step=0.1,
        label="Truncation",
        info="Entries of the latents beyond this are drawn again. 0: off.",
        elem_id=name,
    )


def _picture(gradio, name):
    return gradio.Image(
        show_label=False,
        format="png",
        interactive=False,
        buttons=[],
        elem_id=name,
    )


def require_gradio():
    """Returns the package `gradio`, or says how to install it."""
    try:
        import gradio
    except ImportError as error:
        raise ImportError(
            "The page needs Gradio: pip install 'keras_sagan[app]'"
        ) from error
    return gradio
