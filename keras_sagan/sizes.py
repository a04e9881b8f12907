"""Sizes and channels of images, and the feature maps that lead to them."""

import dataclasses
import math
import numbers

CHANNELS = (1, 3, 4)
_BASES = range(3, 8)  # Sides of the generator's first map.
_DOUBLINGS = range(2, 7)
_LARGEST = 256
# Widths in base channels. In the generator: of the 4x4 map and of the output
# of each up block. In the discriminator: of the output of each block. Those
# for 32 to 256 are from StudioGAN, `models/resnet.py`; 128 is the same in the
# SAGAN release. 16 is 32 with one block less, or with a first map of 8.
_GENERATOR_WIDTHS = {
    16: (4, 4, 4),
    32: (4, 4, 4, 4),
    64: (16, 8, 4, 2, 1),
    128: (16, 16, 8, 4, 2, 1),
    256: (16, 16, 8, 8, 4, 2, 1),
}
_DISCRIMINATOR_WIDTHS = {
    16: (2, 2, 2, 2),
    32: (2, 2, 2, 2),
    64: (1, 2, 4, 8, 16),
    128: (1, 2, 4, 8, 16, 16),
    256: (1, 2, 4, 8, 8, 16, 16),
}
POWERS_OF_TWO = tuple(_GENERATOR_WIDTHS)
# By default, attention is at a map of this many locations, as in the release.
_ATTENDED = 32 * 32
SIDES = tuple(
    sorted({b << k for b in _BASES for k in _DOUBLINGS if b << k <= _LARGEST})
)


@dataclasses.dataclass(frozen=True)
class Size:
    """A size of images that both networks support.

    A side is `b * 2**k` pixels, b from 3 to 7, with the same k for both sides.
    The widths of the layers are those for the next power of two: networks of
    96 pixels have the widths of 128. If b is more than 4, the first map of the
    generator for that power of two is left out.

    Attributes:
        height: Height of an image in pixels.
        width: Width of an image in pixels.
        doublings: k, the number of times the generator doubles its first map.
    """

    height: int
    width: int
    doublings: int

    @property
    def first_map(self):
        """Height and width of the generator's first map."""
        return self.height >> self.doublings, self.width >> self.doublings

    @property
    def generator_widths(self):
        """Widths of the first map and of each up block, in base channels."""
        return _GENERATOR_WIDTHS[self._rule][-self.doublings - 1 :]

    @property
    def generator_maps(self):
        """Height of the output of each up block."""
        k = self.doublings
        return tuple(self.height >> (k - 1 - i) for i in range(k))

    @property
    def discriminator_widths(self):
        """Widths of the output of each block, in base channels."""
        widths = _DISCRIMINATOR_WIDTHS[self._rule]
        return widths if self._rule <= 32 else widths[: self.doublings + 1]

    @property
    def halvings(self):
        """Number of the discriminator's blocks that halve, the first ones."""
        return min(self.doublings, 2) if self._rule <= 32 else self.doublings

    @property
    def discriminator_maps(self):
        """Height of the output of each block that halves."""
        return tuple(self.height >> i + 1 for i in range(self.halvings))

    @property
    def default_attention(self):
        """Height of the map for attention: the map nearest to 32x32."""
        ratio = self.width / self.height
        return min(
            self.discriminator_maps,
            key=lambda h: abs(math.log(h * h * ratio / _ATTENDED)),
        )

    @property
    def _rule(self):
        """The power of two whose widths the networks have."""
        return 2 ** math.ceil(math.log2(max(self.height, self.width)))


def size_of(resolution):
    """Returns the `Size` of images of a resolution.

    Args:
        resolution: Side in pixels, or a pair `(height, width)`.

    Raises:
        ValueError: If the networks do not support it. The message names the
            nearest resolutions that they support.
    """
    sides = as_pair(resolution)
    doublings = sides and _doublings(sides)
    if doublings:
        return Size(*sides, doublings)
    raise ValueError(
        "`resolution` must be b * 2**k pixels, b from 3 to 7, k from 2 to 6, "
        f"at most {_LARGEST}, or a pair (height, width) of such sides with the "
        f"same k{_advice(sides)}. Received: resolution={resolution!r}"
    )


def check_channels(name, value, optional=False):
    """Raises a `ValueError` unless `value` is a number of image channels."""
    if value is None and optional:
        return
    if not isinstance(value, numbers.Integral) or value not in CHANNELS:
        raise ValueError(
            f"`{name}` must be 1 (gray), 3 (RGB) or 4 (RGB and alpha)"
            f"{' or None' * optional}. Received: {name}={value!r}"
        )


def as_pair(resolution):
    """Returns a resolution as (height, width), or None for anything else."""
    is_pair = isinstance(resolution, (tuple, list)) and len(resolution) == 2
    sides = tuple(resolution) if is_pair else (resolution, resolution)
    for side in sides:
        if not isinstance(side, numbers.Integral) or isinstance(side, bool):
            return None
    return tuple(map(int, sides)) if min(sides) > 0 else None


def is_possible(resolution):
    """Returns whether the networks support a resolution."""
    return _doublings(as_pair(resolution)) is not None


def nearest(resolution, count=1):
    """Returns the possible sizes nearest to a resolution, the nearest first.

    Args:
        resolution: Side in pixels, or a pair `(height, width)`.
        count: Number of sizes to return.

    Returns:
        A list of sides for a square, or else of pairs.
    """
    height, width = as_pair(resolution)

    def distance(sides):
        return math.hypot(
            math.log(sides[0] / height), math.log(sides[1] / width)
        )

    if height == width:
        return sorted(SIDES, key=lambda side: distance((side, side)))[:count]
    pairs = [(h, w) for h in SIDES for w in SIDES if is_possible((h, w))]
    return sorted(pairs, key=distance)[:count]


def text(resolution):
    """Returns a resolution in words: "64 pixels", or "64x96 pixels"."""
    height, width = as_pair(resolution)
    if height == width:
        return f"{height} pixels"
    return f"{height}x{width} pixels"


def plain(height, width):
    """Returns the side of a square, or else the pair `(height, width)`."""
    return height if height == width else (height, width)


def _doublings(sides):
    """Returns the largest k of sides `b * 2**k`, or None."""
    for k in reversed(_DOUBLINGS):
        if max(sides) <= _LARGEST and all(
            side % 2**k == 0 and side >> k in _BASES for side in sides
        ):
            return k
    return None


def _advice(sides):
    if sides is None:
        return ""
    near = " and ".join(str(size) for size in sorted(nearest(sides, 2)))
    return f"; the nearest are {near}"
