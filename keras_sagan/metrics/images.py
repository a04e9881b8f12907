"""Images to evaluate, in batches, from any kind of input."""

import pathlib

import numpy as np

from keras_sagan.data.arrays import as_arrays
from keras_sagan.data.arrays import find_arrays
from keras_sagan.data.images import UnreadableImage
from keras_sagan.data.images import read_image
from keras_sagan.files import read_npz
from keras_sagan.sizes import CHANNELS

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".ppm")


class Images:
    """Existing images: an array, a source, a folder or an `.npz` file.

    Args:
        name: String, the name of the images in error messages.
        images: A uint8 array `(N, H, W)` or `(N, H, W, channels)` with 1, 3 or
            4 channels; a pair of such an array and integer labels `(N,)`; a
            source, where `source[i]` is a uint8 image and its label; the path
            of a folder of pictures, read as RGB, whose subfolders are the
            classes; the path of a folder that
            `data.prepare` wrote; or the path of an `.npz` file with `images`,
            or `arr_0`, and perhaps `labels`.

    Raises:
        ValueError: If `images` is none of these.
    """

    def __init__(self, name, images):
        self.name = name
        self.labels = None
        self.source = None
        if isinstance(images, (str, pathlib.Path)):
            images = _open(name, pathlib.Path(images))
        if isinstance(images, tuple) and len(images) == 2:
            images, self.labels = images
        if isinstance(images, _Folder):
            self.labels = images.labels
        if isinstance(images, np.ndarray):
            images = _check_array(name, images)
            self.labels = _check_labels(name, self.labels, len(images))
        elif not isinstance(images, (bytes, dict, list, tuple)) and all(
            hasattr(images, x) for x in ("__getitem__", "__len__")
        ):
            self.source = not isinstance(images, _Folder)
        else:
            raise ValueError(
                f"`{name}` must be an array of images, a source of them, or "
                f"the path of a folder or .npz. Received: {name} of type "
                f"{type(images).__name__}"
            )
        self.images = images
        if not len(images):
            raise ValueError(f"`{name}` must hold images. Received: none")

    def __len__(self):
        return len(self.images)

    def piece(self, batch_size):
        """Returns how many images one process takes at a time: a batch."""
        return batch_size

    def batches(self, batch_size, indices=None):
        """Yields uint8 images `(n, H, W, C)` and labels `(n,)` or None."""
        indices = np.arange(len(self)) if indices is None else indices
        for begin in range(0, len(indices), batch_size):
            yield self.take(indices[begin : begin + batch_size])

    def take(self, indices):
        """Returns the images at these indices, and their labels or None."""
        labels = None if self.labels is None else self.labels[indices]
        if isinstance(self.images, np.ndarray):
            return self.images[indices], labels
        items = [self.images[int(i)] for i in indices]
        if self.source:
            items, labels = zip(*items)
            has_labels = all(label is not None for label in labels)
            labels = np.array(labels, "int64") if has_labels else None
        items = [np.asarray(item) for item in items]
        shapes = {item.shape for item in items}
        if len(shapes) > 1:
            raise ValueError(
                f"`{self.name}` must hold images of one size: resize them "
                f"first, as the protocol says. Received: {sorted(shapes)}"
            )
        return _check_array(self.name, np.stack(items)), labels


class _Folder:
    """The pictures of a folder, in the order of their paths."""

    def __init__(self, name, path):
        self.name, self.path = name, path
        self.paths = sorted(
            p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES
        )
        if not self.paths:
            raise ValueError(
                f"`{name}` must be a folder of pictures ({', '.join(SUFFIXES)}"
                f"). Received: {path}, without any"
            )
        folders = [p.parent for p in self.paths]
        names = sorted(set(folders))
        self.labels = None
        if path not in names:
            self.labels = np.array([names.index(f) for f in folders])

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, i):
        # As for training: transparent images are composited onto white, and
        # turned ones are set upright.
        try:
            return np.asarray(read_image(self.paths[i]))
        except UnreadableImage as error:
            raise ValueError(
                f"`{self.name}` must hold whole images. "
                f"Received: {self.paths[i]}, which is {error}"
            ) from error


def _open(name, path):
    if (path / "prepared.json").is_file():
        from keras_sagan.data import PreparedImages

        return PreparedImages(path)
    if path.is_dir():
        return _Folder(name, path)
    if path.suffix != ".npz" or not path.is_file():
        raise FileNotFoundError(
            f"`{name}` must be a folder of pictures or an .npz. "
            f"Received: {path}"
        )
    arrays = read_npz(path)
    images, labels = find_arrays(arrays)
    if images is None:
        raise ValueError(
            f"`{name}` must hold `images`, or `mu` and `sigma`. "
            f"Received: {path} with {', '.join(arrays) or 'nothing'}"
        )
    return images, labels


def _check_array(name, images):
    arrays = as_arrays(images)
    if (
        arrays.dtype != np.uint8
        or arrays.ndim != 4
        or arrays.shape[-1] not in CHANNELS
    ):
        raise ValueError(
            f"`{name}` must be uint8 images of shape (N, H, W), or (N, H, W, "
            f"channels) with 1, 3 or 4 channels. Received: {name} of shape "
            f"{images.shape} and dtype {images.dtype}"
        )
    return arrays


def _check_labels(name, labels, n):
    if labels is None:
        return None
    labels = np.asarray(labels)
    if labels.shape != (n,) or labels.dtype.kind not in "iu":
        raise ValueError(
            f"`{name}` must come with integer labels of shape ({n},). "
            f"Received: labels of shape {labels.shape}, dtype {labels.dtype}"
        )
    return labels


class Generator:
    """A model to evaluate, and the arguments for generating images.

    Args:
        model: A `SAGAN`, or another object with its `generate`.
        seed: Non-negative integer.
        arguments: Dict of arguments for `model.generate`.
    """

    def __init__(self, model, seed, arguments):
        self.model = model
        self.seed = seed
        self.arguments = arguments

    def images(self, num_images, seed, labels=None):
        """Returns images for `extract`, which are generated when needed.

        Args:
            num_images: Positive integer.
            seed: Non-negative integer, or a tuple of them.
            labels: Integers `(num_images,)`, or None to draw them uniformly.
        """
        return Generated(self.model, num_images, seed, labels, **self.arguments)


class Generated:
    """Images that a model generates, a thousand at a time.

    Args:
        model: A `SAGAN`, or another object with its `generate`.
        num_images: Positive integer.
        seed: Integer, or a tuple of integers.
        labels: Integers `(num_images,)`, or None to draw them uniformly.
        **arguments: Arguments of `SAGAN.generate`.
    """

    name = "model"
    _CHUNK = 1000

    def __init__(self, model, num_images, seed, labels=None, **arguments):
        self.model = model
        self.num_images = num_images
        self.seed = seed
        self.labels = labels
        self.arguments = arguments

    def __len__(self):
        return self.num_images

    def piece(self, batch_size):
        """Returns how many images one process makes at a time: a chunk."""
        return self._CHUNK

    def batches(self, batch_size, indices=None):
        """Yields floats in [-1, 1], `(n, H, W, C)`, and labels or None.

        `indices` are consecutive, and the first one begins a chunk. None
        stands for all images.
        """
        indices = np.arange(self.num_images) if indices is None else indices
        for begin in indices[:: self._CHUNK].tolist():
            n = min(self._CHUNK, self.num_images - begin)
            labels = self.labels
            if labels is not None:
                labels = labels[begin : begin + n]
            images = self.model.generate(
                labels=labels,
                num_images=n,
                # Each chunk has its own seed, made from the given one.
                seed=(*np.atleast_1d(self.seed).tolist(), begin),
                quantize=False,
                **self.arguments,
            )
            if not np.isfinite(images).all():
                raise ValueError(
                    "`model` must generate finite images: its training has "
                    "diverged. Received: NaN or infinity"
                )
            for i in range(0, n, batch_size):
                part = None if labels is None else labels[i : i + batch_size]
                yield images[i : i + batch_size], part
