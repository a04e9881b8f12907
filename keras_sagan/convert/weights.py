"""Weights from and to other implementations of SAGAN."""

import pathlib

from absl import logging

from keras_sagan.convert.architecture import find_architecture
from keras_sagan.convert.layouts import LAYOUTS
from keras_sagan.convert.networks import SIDES
from keras_sagan.convert.networks import read_networks
from keras_sagan.convert.tensors import Plain
from keras_sagan.convert.tensors import Tensors
from keras_sagan.convert.tensors import correspondences
from keras_sagan.files import replacing
from keras_sagan.models.discriminator import build_discriminator
from keras_sagan.models.generator import build_generator
from keras_sagan.models.sagan import SAGAN


def load_model(path, source, **overrides):
    """Builds the SAGAN that a file of another implementation holds.

    The resolution, the classes, the width and the places of attention are found
    from the tensors. What the tensors do not show (epsilons, momenta, the order
    of ReLU and shortcut) is taken from the configuration of the source.

    Args:
        path: See `load_weights`.
        source: `"studiogan"`, `"mmgeneration"`, `"biggan_pytorch"` or
            `"released"`.
        **overrides: Arguments of `build_generator` and `build_discriminator`
            that replace those of the source. Mmgeneration's models "with
            in-place ReLU", and those that it converted from StudioGAN, need
            `shortcut_after_relu=True`.

    Returns:
        A compiled `SAGAN`, with default optimizers.

    Raises:
        FileNotFoundError, ValueError: See `load_weights`.

    Example:

    >>> model = keras_sagan.convert.load_model(  # doctest: +SKIP
    ...     "checkpoints/", "studiogan")
    >>> images = model.generate(  # doctest: +SKIP
    ...     labels=207, num_images=8, seed=0)
    >>> images.shape  # doctest: +SKIP
    (8, 128, 128, 3)
    """
    layout = _layout(source)
    unknown = set(overrides) - set(_of(build_generator, overrides))
    unknown -= set(_of(build_discriminator, overrides))
    if unknown:
        raise ValueError(
            "`overrides` must be arguments of `build_generator` or "
            f"`build_discriminator`. Received: {sorted(unknown)}"
        )
    networks = read_networks(path, layout)
    arguments = {}
    for side, tensors in networks.items():
        side = side.removeprefix("ema_")
        arguments[side] = find_architecture(tensors, side, layout)
    generator, discriminator = _complete(arguments)
    defaults = {**layout.defaults, **_recipe(layout, networks), **overrides}
    model = SAGAN(
        build_generator(**{**generator, **_of(build_generator, defaults)}),
        build_discriminator(
            **{**discriminator, **_of(build_discriminator, defaults)}
        ),
    )
    model.compile()
    _assign(model, networks, layout, path)
    return model


def load_weights(model, path, source):
    """Loads another implementation's weights into a model.

    It loads kernels, biases, class tables, batch norm statistics and the
    vectors of spectral normalization. The released code and BigGAN-PyTorch
    store only `u` and evaluate with one more power iteration, which is run here
    once. The EMA generator gets the EMA weights of the file, or those of the
    generator if there are none. A network that the file does not hold stays as
    it is, and a warning is logged.

    The model computes what the source does only if it was built with the
    source's epsilons and order of ReLU and shortcut, as `load_model` does.

    Args:
        model: A `SAGAN` with networks of `build_generator` and
            `build_discriminator`.
        path: A file with one network or all of them: a `.pth` of PyTorch, a
            `.safetensors`, an `.npz` with the names of such a file, or the
            prefix or folder of a TensorFlow checkpoint (which needs
            TensorFlow). For StudioGAN and BigGAN-PyTorch, it can also be the
            folder of their checkpoints, where the best ones are preferred to
            the latest. No code in a `.pth` is run: anything other than tensors
            and numbers is refused.
        source: `"studiogan"`, `"mmgeneration"`, `"biggan_pytorch"` or
            `"released"`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a file is damaged or holds more than tensors, if the
            model has layers that no tensor belongs to, or if the tensors do
            not fit. The message then lists those that are missing, left over,
            or of another shape, and nothing is loaded.

    Example:

    >>> def make_model():
    ...     sizes = {"num_classes": 2, "base_channels": 2}
    ...     return keras_sagan.SAGAN(
    ...         keras_sagan.models.build_generator(
    ...             32, class_table_spectral_normalization=True, **sizes),
    ...         keras_sagan.models.build_discriminator(32, **sizes))
    >>> model, other = make_model(), make_model()
    >>> keras_sagan.convert.save_weights(model, "studiogan")
    >>> keras_sagan.convert.load_weights(other, "studiogan", "studiogan")
    >>> images = [x.generate(labels=[0, 1], seed=0) for x in (model, other)]
    >>> np.array_equal(*images)
    True
    """
    layout = _layout(source)
    _assign(model, read_networks(path, layout), layout, path)


def save_weights(model, path, target="studiogan"):
    """Writes a model's weights for another implementation to read.

    It writes three files in the layout of StudioGAN's checkpoints, so that
    StudioGAN's evaluation runs on them: `model=G-best-weights-step=N.pth`,
    and likewise `G_ema` and `D`. It needs PyTorch.

    Args:
        model: A `SAGAN` of 32 to 256 pixels, built with
            `class_table_spectral_normalization=True` and the released form
            of the attention.
        path: Folder for the files.
        target: `"studiogan"`.

    Raises:
        ValueError: If StudioGAN has no such network.
        ImportError: If PyTorch is not installed.

    Example:

    >>> import pathlib
    >>> generator = keras_sagan.models.build_generator(
    ...     32, num_classes=2, base_channels=2,
    ...     class_table_spectral_normalization=True)
    >>> discriminator = keras_sagan.models.build_discriminator(
    ...     32, num_classes=2, base_channels=2)
    >>> model = keras_sagan.SAGAN(generator, discriminator)
    >>> keras_sagan.convert.save_weights(model, "weights")
    >>> sorted(path.name for path in pathlib.Path("weights").iterdir())[0]
    'model=D-best-weights-step=0.pth'
    """
    if target != "studiogan":
        raise ValueError(
            f"`target` must be 'studiogan'. Received: target={target!r}"
        )
    layout = LAYOUTS[target]
    try:
        import torch as pytorch
    except ImportError:
        raise ImportError(
            "Writing .pth files needs PyTorch: "
            "`pip install 'keras_sagan[torch]'`"
        ) from None
    model.sync_variables()
    step = model.count_steps()
    # All of them are made before the first is written.
    state_dicts = [
        {
            key: pytorch.tensor(x)
            for key, x in _state_dict(getattr(model, side), side, layout)
        }
        for side in SIDES
    ]
    for state_dict, name in zip(state_dicts, ("G", "D", "G_ema")):
        content = {"state_dict": state_dict, "optimizer": {}, "step": step}
        content |= {"seed": 0, "run_name": "keras_sagan", "epoch": 0}
        content |= {"topk": 1, "aa_p": None, "best_step": step}
        content |= {"best_fid": None, "best_fid_ckpt": None}
        file = f"model={name}-best-weights-step={step}.pth"
        with replacing(pathlib.Path(path) / file) as temporary:
            pytorch.save(content, temporary)


def _assign(model, networks, layout, path):
    """Assigns every tensor, or raises an error before the first."""
    networks = dict(networks)
    if "generator" not in networks and "ema_generator" in networks:
        networks["generator"] = networks["ema_generator"]
    elif "ema_generator" not in networks and "generator" in networks:
        networks["ema_generator"] = networks["generator"]
    values, problems = [], []
    for side in SIDES:
        if side not in networks:
            logging.warning("%s holds no %s: it stays as it is", path, side)
            continue
        tensors = Tensors(networks[side])
        kind = side.removeprefix("ema_")
        for entry in correspondences(getattr(model, side), kind, layout):
            values += entry.load(tensors)
        for what, names in (
            ("missing", sorted(tensors.missing)),
            ("left over", tensors.left_over()),
            ("of another shape", sorted(tensors.misshapen)),
        ):
            if names:
                problems.append(f"{side}, {what}: {', '.join(names)}")
    if problems:
        raise ValueError(
            f"The tensors of `path` must be those of the model, in the layout "
            f"of source={layout.source!r}; nothing was loaded. `load_model` "
            f"builds the model of a file. Received: path={path}\n  "
            + "\n  ".join(problems)
        )
    for variable, value in values:
        variable.assign(value)


def _state_dict(network, side, layout):
    side = side.removeprefix("ema_")
    for entry in correspondences(network, side, layout):
        if isinstance(entry, Plain) and entry.axes is not None:
            raise ValueError(
                "`model` must have spectral normalization wherever StudioGAN "
                "has it: build the generator with "
                "`class_table_spectral_normalization=True`, and both networks "
                "with `spectral_normalization=True`. "
                f"Received: {entry.variable.path} without"
            )
        yield from entry.save()


def _complete(arguments):
    """Returns the arguments of both networks; the file may hold only one."""
    generator = arguments.get("generator")
    discriminator = arguments.get("discriminator")
    if generator is None:
        generator = {**discriminator, "attention_resolutions": None}
    elif discriminator is None:
        discriminator = {
            k: v for k, v in generator.items() if k != "latent_dim"
        }
    return generator, discriminator


def _recipe(layout, networks):
    """Returns what differs between mmgeneration's two recipes.

    The class tables tell them apart.
    """
    if layout.source != "mmgeneration":
        return {}
    if any(
        "weight_embedding.weight_orig" in name
        for tensors in networks.values()
        for name in tensors
    ):
        return {"class_table_spectral_normalization": True}
    return {"batch_norm_epsilon": 1e-5, "spectral_epsilon": 1e-8}


def _of(function, arguments):
    """Returns those entries that are arguments of a function."""
    names = function.__code__.co_varnames[: function.__code__.co_argcount]
    return {k: v for k, v in arguments.items() if k in names}


def _layout(source):
    if source not in LAYOUTS:
        raise ValueError(
            f"`source` must be one of {sorted(LAYOUTS)}. "
            f"Received: source={source!r}"
        )
    return LAYOUTS[source]
