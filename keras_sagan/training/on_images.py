"""Training on any images, with one call."""

import pathlib

import keras

from keras_sagan import backends
from keras_sagan import data
from keras_sagan import sizes
from keras_sagan.data.source import converted
from keras_sagan.files import print_left_out
from keras_sagan.models import checks
from keras_sagan.models.sagan import SAGAN
from keras_sagan.training import finetuning
from keras_sagan.training.folder import Run
from keras_sagan.training.recipes import choose_recipe
from keras_sagan.training.recipes import recipe_for
from keras_sagan.training.run import train

_EVERY = 50


def train_on_images(
    images,
    workdir=None,
    resolution=None,
    base_channels=None,
    steps=None,
    seed=None,
    sample_every=None,
    callbacks=(),
    channels=None,
    from_model=None,
    from_class_names=None,
    freeze_discriminator=0,
    precision=None,
):
    """Chooses a recipe for images, prints it, and trains a SAGAN.

    If it is called again with the same folder, it continues from the step at
    which the run was stopped or killed. Arguments that were given or chosen
    when the run began do not have to be given again, except `steps`. The run
    may continue on another device, such as a GPU. `choose_recipe` describes
    how the recipe is chosen. Images that must be decoded or resized are
    prepared once, in the folder of the run.

    Args:
        images: A name that `keras_sagan.data.open_images` accepts, such as the
            path of a folder of images; or a `keras_sagan.data.Source`.
        workdir: Folder of the run; see `keras_sagan.training.Run`. If `None`,
            defaults to `runs/` and the name of the images.
        resolution: Side of the generated images in pixels, or `(height,
            width)`; see `build_generator`. If `None`, it is that of the run,
            or chosen for a new run.
        base_channels: Positive integer, the width of the networks. If `None`,
            it is that of the run, or chosen for a new run.
        steps: Positive integer, the step at which the run ends. If `None`, it
            is chosen.
        seed: Non-negative integer that decides the weights, the latents and
            the order of the images. If `None`, it is that of the run, or 0 for
            a new run.
        sample_every: Positive integer, the number of steps between sample
            grids. If `None`, defaults to the steps of `callbacks.SampleGrid`.
        callbacks: More callbacks for `SAGAN.fit`.
        channels: 1 for gray, 3 for RGB, or 4 for RGB and alpha. If `None`, it
            is that of the run, or that of the images for a new run; see
            `ImageFolder`.
        from_model: A `SAGAN` to fine-tune, which is not changed. Its networks
            are copied, get the classes of these images and are trained; see
            `SAGAN.with_classes`. Its loss is used, too. If `None`, the
            networks are new, or those of the run if it has begun.
        from_class_names: Strings, the class names of `from_model`, or None. A
            class of these images with the same name as one of them starts from
            that class, and every other one from the mean of all classes.
        freeze_discriminator: Non-negative integer, the number of blocks of the
            discriminator that are not trained, for `from_model`.
        precision: What the networks compute in: `"float32"`,
            `"mixed_bfloat16"`, or, for GPUs without bfloat16,
            `"mixed_float16"`. If `None`, it is that of the run, or
            `"float32"` for a new run. It must be `None` with `from_model`,
            whose networks keep theirs.

    Returns:
        The trained `SAGAN`.

    Raises:
        ValueError: If there are no such images or too few, if `workdir`
            contains a run with other settings, or if `images` is a `Source`
            and `workdir` is not given.
        TrainingFailed: If training fails; see `callbacks.Guard`.

    Example:

    >>> model = keras_sagan.train_on_images(  # doctest: +ELLIPSIS
    ...     "digits", "runs/digits", base_channels=4, steps=1)
    Chosen: 1,797 images of 10 classes at 16 pixels...
    Wrote runs/digits/model.keras; see runs/digits/samples
    """
    backends.prepare_training()  # Before `fit`; see this function.
    run = Run(_default_workdir(images) if workdir is None else workdir)
    if not isinstance(images, data.Source):
        images = data.open_images(images)
    if from_model is not None:
        resolution, channels = finetuning.check_arguments(
            from_model, resolution, base_channels, channels
        )
    before = run.settings()
    checks.check_precision(precision)
    finetuned = from_model is not None or finetuning.is_finetuned(before)
    if finetuned:
        finetuning.check_no_precision(precision)
    recipe, seed = _as_begun(
        before,
        images,
        resolution,
        base_channels,
        seed,
        channels,
        choosable=not finetuned,
    )
    if from_model is not None:
        recipe = finetuning.recipe_from(
            from_model, recipe, freeze_discriminator
        )
    elif finetuned:
        recipe = finetuning.recipe_as_begun(
            recipe, before, base_channels, freeze_discriminator
        )
    elif freeze_discriminator:
        raise ValueError(
            "`freeze_discriminator` must be 0 without `from_model`. "
            f"Received: freeze_discriminator={freeze_discriminator}"
        )
    precision = precision or before.get("precision", "float32")
    settings = {**recipe, "steps": None, "seed": seed}
    if precision != "float32":  # Earlier versions did not write it.
        settings["precision"] = precision
    run.check_settings(settings)
    steps = steps or recipe["steps"]
    _print_choice(run, recipe, steps, precision)
    if resolution is None:
        _print_resizing(images, recipe["generator"]["resolution"])
    source = _prepared(run, images, recipe["generator"])
    print_left_out(source.skipped)

    def make_model():
        keras.utils.set_random_seed(seed)
        if not finetuned:
            return SAGAN.from_preset(recipe, precision=precision, seed=seed)
        return finetuning.new_model(
            from_model, recipe, seed, from_class_names, source.class_names
        )

    def make_dataset(start_step):
        return data.from_source(
            source,
            recipe["batch_size"],
            seed=seed,
            start_step=start_step,
            steps_per_epoch=_EVERY,
        )

    return train(
        run.path,
        make_model,
        make_dataset,
        steps,
        settings=settings,
        class_names=source.class_names,
        log_every=_EVERY,
        sample_every=sample_every,
        checkpoint_every=5 * _EVERY,
        callbacks=callbacks,
    )


def _default_workdir(images):
    if isinstance(images, data.Source):
        raise ValueError(
            "`workdir` must be given if `images` is a Source. "
            "Received: workdir=None"
        )
    name = str(images).removeprefix("tfds:")
    return pathlib.Path("runs", pathlib.Path(name).resolve().name)


def _as_begun(
    before, images, resolution, base_channels, seed, channels, choosable
):
    """Returns the recipe and the seed, those of the run if it has begun.

    Arguments that differ from those of the run are kept, so that
    `check_settings` refuses them. If `choosable` is False, the networks are not
    built here and may have any size.
    """
    network = before.get("generator", {})
    if network:
        channels = channels or network.get("channels", 3)
    choose = choose_recipe if choosable else recipe_for
    recipe = choose(
        images,
        None,
        resolution or network.get("resolution"),
        base_channels or network.get("base_channels"),
        channels,
    )
    # The choice would depend on the device and on the number of images.
    recipe["batch_size"] = before.get("batch_size", recipe["batch_size"])
    return recipe, before.get("seed", 0) if seed is None else seed


def _prepared(run, images, network):
    """Returns the images for a network, prepared if this saves time."""
    resolution = network["resolution"]
    source = converted(images, resolution, network.get("channels", 3))
    if source.ready:
        return source
    folder = run.images_path(resolution, source.channels)
    return data.prepare(source, folder)


def _print_choice(run, recipe, steps, precision):
    networks = "the networks of the model that it starts from"
    if not finetuning.is_finetuned(recipe):
        networks = f"networks of width {recipe['generator']['base_channels']}"
        networks += f" in {precision}" if precision != "float32" else ""
    print(
        f"Chosen: {recipe['description']}; {networks}; {steps:,} "
        f"steps with batches of {recipe['batch_size']}; in {run.path}"
    )


def _print_resizing(images, resolution):
    native = images.native_resolution
    if not images.one_size or native == resolution:
        return
    print(
        f"The images have {sizes.text(native)} and are resized to "
        f"{sizes.text(resolution)}"
    )
    if sizes.is_possible(native):  # It was only too large for a CPU.
        print(f"To train at their size, begin a run with resolution={native}")
