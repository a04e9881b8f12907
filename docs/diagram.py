"""Draws both networks, from the layers that the builders made.

The picture is a file of its own, so that GitHub shows it too. It is as light or
as dark as the reader's system.
"""

import dataclasses
import html
import math
import pathlib
import re

from keras_sagan import models

_WIDTH, _GAP, _ROW, _MARGIN = 74, 26, 270, 114
# A block, or a layer of its own, by the name that the builders give it.
_STAGE = re.compile(r"(reshape|up_\d+|block_\d+|attention_\d+|images|sum)$")
_STYLE = """
  text { font: 13px sans-serif; fill: #222; text-anchor: middle }
  .small { font-size: 11px }
  .title { font-size: 15px; font-weight: bold; text-anchor: start }
  .left { text-anchor: start }
  rect { stroke: #222; stroke-width: 1 }
  path { stroke: #222; fill: none }
  .page { fill: #fff; stroke: none }
  .block { fill: #eef }
  .attention { fill: #e8a33d }
  .ends { fill: none }
  @media (prefers-color-scheme: dark) {
    text { fill: #ddd }
    rect, path { stroke: #ddd }
    .page { fill: #131416 }
    .block { fill: #2a2c3a }
    .on-colour { fill: #222 }
  }
"""


@dataclasses.dataclass
class Stage:
    """A box of the picture: an image, a block or an attention layer."""

    kind: str
    side: int
    channels: int

    @property
    def height(self):
        """Height in pixels, which grows by as much with each doubling."""
        return 24 + 26 * (math.log2(self.side) - 2) if self.side > 1 else 24


def stages(network):
    """Returns the stages of a network, in its order."""
    found = []
    for layer in network.layers:
        if match := _STAGE.fullmatch(layer.name):
            shape = layer.output.shape[1:]
            side = shape[0] if len(shape) == 3 else 1
            kind = re.sub(r"_?\d+", "", match[1])
            found.append(Stage(kind, side, shape[-1]))
    return found


def draw(path, resolution=128, num_classes=1000):
    """Writes the picture of both networks, an SVG file."""
    made = [
        build(resolution, num_classes, spectral_normalization=False)
        for build in (models.build_generator, models.build_discriminator)
    ]
    rows = [_row(stages(network), i) for i, network in enumerate(made)]
    width, height = max(width for width, _ in rows), 2 * _ROW
    body = "".join(text for _, text in rows)
    label = "The generator and the discriminator, block by block"
    pathlib.Path(path).write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" '
        f'height="{height}" viewBox="0 0 {width} {height}">'
        f"<title>{label}</title><style>{_STYLE}</style>"
        f'<rect class="page" width="{width}" height="{height}"/>{body}</svg>\n'
    )


def _row(boxes, row):
    """Returns the width of a network's row, and its SVG."""
    generator = row == 0
    middle = row * _ROW + 145
    title = "Generator" if generator else "Discriminator"
    parts = [_text(10, row * _ROW + 20, title, "title")]
    x = _MARGIN if generator else 20
    if generator:
        parts.append(_text(40, middle + 4, "latents z"))
        parts.append(_text(93, middle - 6, "linear", "small"))
        parts.append(_arrow(74, x - 3, middle))
    for i, box in enumerate(boxes):
        if i:
            parts.append(_arrow(x - _GAP + 3, x - 3, middle))
        parts.append(_box(box, x, middle))
        x += _WIDTH + _GAP
    if generator:
        low = row * _ROW + _ROW - 14
        text = (
            "The class chooses the scale and the shift of the batch norms in "
            "each block (conditional batch norm)."
        )
        parts.append(_text(_MARGIN, low, text, "small left"))
    else:
        parts.append(_arrow(x - _GAP + 3, x + 8, middle))
        parts.append(_text(x + 14, middle - 8, "linear(h)", "left"))
        parts.append(_text(x + 14, middle + 8, "+ <h, class>", "left"))
        parts.append(_text(x + 14, middle + 26, "= logit", "left"))
        x += 100
    return x, "".join(parts)


def _box(box, x, middle):
    names = {
        "reshape": "",
        "up": "block",
        "block": "block",
        "attention": "attention",
        "images": "image",
        "sum": "sum h",
    }
    kind = {"attention": "attention", "images": "ends"}.get(box.kind, "block")
    text = "small on-colour" if kind == "attention" else "small"
    top = middle - box.height / 2
    size = f"{box.side}x{box.side}" if box.side > 1 else ""
    return (
        f'<rect class="{kind}" x="{x}" y="{top}" width="{_WIDTH}" '
        f'height="{box.height}" rx="3"/>'
        + _text(x + _WIDTH / 2, middle + 4, names[box.kind], text)
        + _text(x + _WIDTH / 2, top - 6, size)
        + _text(x + _WIDTH / 2, top + box.height + 14, box.channels, "small")
    )


def _text(x, y, text, kind=""):
    return (
        f'<text class="{kind}" x="{x}" y="{y}">{html.escape(str(text))}</text>'
    )


def _arrow(x, end, y):
    return f'<path d="M{x} {y}H{end}m-5 -4l5 4l-5 4"/>'
