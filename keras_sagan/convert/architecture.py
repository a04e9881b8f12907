"""Finds the networks that a file of weights fits."""

import itertools
import re

from keras_sagan.convert.layouts import BY_CALL
from keras_sagan.convert.layouts import stages
from keras_sagan.sizes import POWERS_OF_TWO
from keras_sagan.sizes import size_of


def find_architecture(tensors, side, layout):
    """Returns the arguments of `build_generator` or `build_discriminator`.

    Args:
        tensors: A dict of the arrays of one network.
        side: `"generator"` or `"discriminator"`.
        layout: A `Layout`.

    Raises:
        ValueError: If no network of ours has these blocks.
    """
    shapes = _Shapes(tensors, side, layout)
    # Take the largest that fits: discriminators of 16 and 32 pixels are alike,
    # and the other implementations have only powers of two, from 32 on.
    number = shapes.number_of_blocks()
    resolution = max(
        (r for r in POWERS_OF_TWO if len(stages(side, r, ())) == number),
        default=None,
    )
    if resolution is None:
        raise ValueError(
            f"A {side} must be of 16 to 256 pixels. Received: one of "
            f"source={layout.source!r} with {number} blocks"
        )
    widths = getattr(size_of(resolution), f"{side}_widths")
    arguments = {
        "resolution": resolution,
        "num_classes": shapes.num_classes(),
        "base_channels": shapes.last_channels() // widths[-1],
        "attention_resolutions": shapes.attention_resolutions(
            resolution, widths
        ),
    }
    if side == "generator":
        arguments["latent_dim"] = shapes.latent_dim()
    return arguments


class _Shapes:
    """Finds out about a network from the shapes of its tensors."""

    def __init__(self, tensors, side, layout):
        self.shapes = {name: x.shape for name, x in tensors.items()}
        self.side, self.layout = side, layout
        kernels = {kernel for kernel, _ in layout.kernels.values()}
        kernels |= {layout.normalized[0], BY_CALL[0]}
        names = "|".join(sorted(filter(None, kernels)))
        self.kernel = f"(?:{re.escape(layout.separator)}(?:{names}))?"

    def find(self, base):
        """Returns the shapes of the kernels of this name, at any depth."""
        separator = re.escape(self.layout.separator)
        pattern = f"(?:.*{separator})?{re.escape(base)}{self.kernel}"
        return [
            shape
            for name, shape in self.shapes.items()
            if re.fullmatch(pattern, name)
        ]

    def number_of_blocks(self):
        names = self.layout.names
        return len(self.find(names.get(f"{self.side}_conv_2", names["conv_2"])))

    def last_channels(self):
        names, axes = self.layout.names, self.layout.axes
        if self.side == "discriminator":
            shapes = self.find(names["discriminator_linear"])
            return max(shapes[0]) if shapes else 0
        shapes = self.find(names["generator_rgb"])
        return shapes[0][axes["convolution"].theirs.index("i")] if shapes else 0

    def latent_dim(self):
        (shape,) = self.find(self.layout.names["generator_linear"])
        theirs = self.layout.axes["latents"].theirs
        return int(shape[0 if theirs.startswith("i") else -1])

    def num_classes(self):
        if self.side == "discriminator":
            shapes = self.find(self.layout.names["discriminator_embedding"])
            axis = 0
        else:
            names = self.layout.names
            table = self.layout.join(names["norm_1"], names["table_gamma"])
            shapes = [s for s in self.find(table) if len(s) == 2]
            axis = self.layout.axes["table"].theirs.index("n")
        return int(shapes[0][axis]) if shapes else None

    def attention_resolutions(self, resolution, widths):
        """Returns the map sizes with attention, from names and channels."""
        layout, gamma = self.layout, self.layout.names["attention_gamma"]
        found = {n for n in self.shapes if n.endswith(layout.separator + gamma)}
        query = self.find(layout.names["attention_query"])
        index = layout.axes["convolution"].theirs.index("i")
        channels = sorted(shape[index] for shape in query)
        ch = self.last_channels() // widths[-1]
        sizes = _widths_by_size(self.side, resolution, widths)
        for places in itertools.combinations(sizes, len(found)):
            prefixes = layout.prefixes(
                self.side, stages(self.side, resolution, places)
            )
            expected = {
                layout.join(prefixes[f"attention_{size}"], gamma)
                for size in places
            }
            if expected == found and channels == sorted(
                ch * sizes[size] for size in places
            ):
                return places
        raise ValueError(
            "The attention must follow a block of the network. Received: a "
            f"{self.side} of source={layout.source!r} and {resolution} pixels "
            f"with {sorted(found)} on maps of {channels} channels"
        )


def _widths_by_size(side, resolution, widths):
    """Returns the channels of maps by their size, in multiples of the base."""
    names = stages(side, resolution, range(1, 257))
    sizes = [int(n.split("_")[1]) for n in names if n.startswith("attention")]
    if side == "generator":
        return dict(zip(sizes, widths[1:]))
    return dict(zip(sizes, widths))
