"""What every source of images can do."""

import concurrent.futures
import os

from keras_sagan import sizes
from keras_sagan.data.batches import Batches
from keras_sagan.data.images import UnreadableImage
from keras_sagan.data.pixels import crop_and_resize
from keras_sagan.data.pixels import with_channels


class Source:
    """Base class of sources of images.

    A subclass defines `__len__` and `__getitem__`. Everything else has a
    default that is right for images of unknown size without classes, and can
    be overridden.

    `source[i]` is a pair: the image, uint8 `(height, width, channels)`, and its
    label, an integer (0 where there are no classes). It may raise
    `UnreadableImage`: training then takes the next image, and `prepare`
    leaves this one out.

    Attributes:
        class_names: Tuple of strings, one for each class, or None if the images
            have no classes.
        native_resolution: Side of the images in pixels, or a pair
            `(height, width)` if they are not square. For images of several
            sizes, this is the median of their shorter sides. It is None if the
            size is unknown.
        one_size: Whether all images have the size `native_resolution`, so
            that batches can be made of them as they are.
        ready: Whether an image is read without decoding or resizing it, so
            that `prepare` would gain nothing.
        random_access: Whether any image can be read as quickly as the next
            one. If not, the source is read from front to back.
        channels: Number of channels: 1 for gray, 3 for red, green and blue,
            or 4 with alpha, which is 0 where an image is transparent.
        skipped: Pairs `(name, reason)` of what the source left out.

    Example:

    >>> class Stripes(keras_sagan.data.Source):
    ...     class_names = ("horizontal", "vertical")
    ...     native_resolution = 64
    ...     one_size = True
    ...
    ...     def __len__(self):
    ...         return 1000
    ...
    ...     def __getitem__(self, index):
    ...         rows = np.random.default_rng(index).integers(256, size=(64, 1))
    ...         image = np.broadcast_to(rows, (64, 64)).astype("uint8")
    ...         image = image.T if index % 2 else image
    ...         return np.stack([image] * 3, axis=-1), index % 2
    >>> images, labels = Stripes().at(32).batches(8)[0]
    >>> images.shape, labels.shape
    ((8, 32, 32, 3), (8,))
    """

    class_names = None
    native_resolution = None
    one_size = False
    ready = False
    random_access = True
    channels = 3
    skipped = ()

    def __len__(self):
        raise NotImplementedError(f"{type(self).__name__} needs `__len__`")

    def __getitem__(self, index):
        raise NotImplementedError(f"{type(self).__name__} needs `__getitem__`")

    @property
    def names(self):
        """A name for each image, used in messages."""
        return [f"image {i}" for i in range(len(self))]

    def at(self, resolution=None, channels=None):
        """Returns a source of the same images, all of one size.

        Args:
            resolution: Side in pixels, or a pair `(height, width)`. The centre
                of each image is cropped to this shape and resized bilinearly.
                Defaults to the native resolution, which all images must then
                have.
            channels: 1, 3 or 4; see `Source`. Colours become gray by their
                luminance, gray is repeated, and transparent images are laid on
                white. Defaults to those of the images.

        Returns:
            A `Source` whose `one_size` is true. This source is not changed.

        Raises:
            ValueError: If `resolution` is None and the images have several
                sizes.
        """
        resolution = self.resolve(resolution)
        sizes.check_channels("channels", channels, optional=True)
        channels = channels or self.channels
        same_size = self.one_size and resolution == self.native_resolution
        if same_size and channels == self.channels:
            return self
        return Converted(self, resolution, channels)

    def resolve(self, resolution):
        """Returns the resolution, or the native one if it is None.

        Raises:
            ValueError: As `at` does.
        """
        if resolution is None:
            if not self.one_size:
                raise ValueError(
                    "`resolution` must be given for images of several sizes, "
                    "such as resolution=64. Received: resolution=None for "
                    f"images of {_size(self)}"
                )
            return self.native_resolution
        sides = sizes.as_pair(resolution)
        if sides is None:
            raise ValueError(
                "`resolution` must be a positive integer, in pixels, or a "
                f"pair (height, width). Received: resolution={resolution}"
            )
        return sizes.plain(*sides)

    def read(self, begin, end):
        """Yields `(index, item)` for the images from `begin` to `end` - 1.

        An item is a pair `(image, label)`, or the `UnreadableImage` that says
        why there is none. By default, threads read several images at a time.
        """

        def read_one(index):
            try:
                return index, self[index]
            except UnreadableImage as error:
                return index, error

        # Pillow releases Python's lock while it decodes.
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            yield from pool.map(read_one, range(begin, end))

    def batches(self, batch_size, **options):
        """Returns the dataset that `from_source` returns for this source.

        The arguments are those of `from_source`, which has checked them.
        """
        return Batches(self, batch_size, **options)


def converted(source, resolution, channels):
    """Returns a source with this resolution and channels; None keeps its own.

    `channels` is passed only if it is needed, because the `at` of a user's
    source may not take it.
    """
    sizes.check_channels("channels", channels, optional=True)
    if channels in (None, source.channels):
        return source.at(resolution)
    return source.at(resolution, channels)


class Converted(Source):
    """The images of another source, converted as they are read."""

    one_size = True

    def __init__(self, source, resolution, channels):
        self._source = source
        self.native_resolution = resolution
        self.channels = channels
        self.class_names = source.class_names
        self.random_access = source.random_access
        self.skipped = source.skipped

    def __len__(self):
        return len(self._source)

    def __getitem__(self, index):
        image, label = self._source[index]
        image = with_channels(image, self.channels)
        return crop_and_resize(image, self.native_resolution), label

    @property
    def names(self):
        return self._source.names

    def at(self, resolution=None, channels=None):
        return self._source.at(
            self.resolve(resolution), channels or self.channels
        )


def _size(source):
    size = source.native_resolution
    return "unknown size" if size is None else f"about {sizes.text(size)}"
