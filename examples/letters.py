"""Learns letters from the fonts of this machine, and writes a name in new ones.

    python examples/letters.py --name=SAGAN
    python examples/letters.py --fonts=FOLDER --steps=3000
    python examples/letters.py --from_scratch --steps=10000

Hardware: two CPU cores. The model starts from the letters that come with the
package, and learns the styles of your fonts within minutes. With --from_scratch
it starts from random weights, and the grids in --out/samples show letters after
half an hour. Data: the capital letters of the TrueType and OpenType fonts that
are found, drawn by Pillow at 32 pixels: one scale for each typeface, centred,
white on black. Typefaces whose letters do not look like letters (symbols,
ornaments, other scripts) are left out. The script writes sample grids while it
trains, then the model, a grid of all letters, and the name, each row in a
typeface that does not exist. KERAS_BACKEND chooses the backend.
"""

import pathlib
import string
import sys

import keras
import numpy as np
from absl import app
from absl import flags
from PIL import Image
from PIL import ImageDraw
from PIL import ImageFont

import keras_sagan
from keras_sagan import data
from keras_sagan import visualization

FLAGS = flags.FLAGS
flags.DEFINE_string("name", "SAGAN", "Word of letters A to Z to write.")
flags.DEFINE_list("fonts", None, "Folders with fonts. Default: the system's.")
flags.DEFINE_integer(
    "typefaces", 1000, "Maximum number of typefaces.", lower_bound=1
)
flags.DEFINE_integer("steps", 1000, "Training steps.", lower_bound=1)
flags.DEFINE_bool("from_scratch", False, "Do not start from trained weights.")
flags.DEFINE_integer("seed", 0, "Seed of the weights, latents and order.", 0)
flags.DEFINE_string("out", "outputs/letters", "Folder of the run.")

LETTERS = string.ascii_uppercase
SIDE, CAPITAL, WIDEST = 32, 24, 28  # Pixels.
FEWEST = 16  # Typefaces. Fewer would only be memorized.
FOLDERS = (
    "/usr/share/fonts",
    "/usr/local/share/fonts",
    "~/.fonts",
    "~/.local/share/fonts",
    "/System/Library/Fonts",
    "/Library/Fonts",
    "~/Library/Fonts",
    "C:/Windows/Fonts",
)


def main(_):
    name = FLAGS.name.upper()
    if not name or not set(name) <= set(LETTERS):
        raise app.UsageError("--name must be a word of letters A to Z")
    folders = FLAGS.fonts or FOLDERS
    images = make_letters(find_fonts(folders), FLAGS.typefaces)
    if len(images) < FEWEST:
        sys.exit(
            f"Only {len(images)} typefaces with letters A to Z were found in "
            f"{', '.join(folders)}, and at least {FEWEST} are needed. Install "
            "more (on Debian: apt install fonts-liberation fonts-noto-core "
            "fonts-urw-base35), or give folders with --fonts"
        )
    print(f"{len(images):,} typefaces with {len(LETTERS)} letters each")
    out = pathlib.Path(FLAGS.out)
    model = train(images, out)
    grid = {"class_names": list(LETTERS), "seed": FLAGS.seed}
    grid |= {"in_columns": True, "share_latents": True}
    for file, word in (("letters.png", LETTERS), ("name.png", name)):
        classes = [LETTERS.index(letter) for letter in word]
        visualization.class_grid(
            model, classes, columns=8, scale=2, path=out / file, **grid
        )
    print(f"Look at {out}/name.png and {out}/letters.png")


def train(images, out):
    """Trains a SAGAN on letters, uint8 `(typefaces, 26, 32, 32)`."""
    labels = np.tile(np.arange(len(LETTERS), dtype="int32"), len(images))
    images = images.reshape(-1, SIDE, SIDE)
    few = len(images) < 20_000

    def make_model():
        keras.utils.set_random_seed(FLAGS.seed)
        model = keras_sagan.SAGAN.from_preset(
            "letters_32",
            weights=not FLAGS.from_scratch,
            seed=FLAGS.seed,
            augmentation=("translation", "cutout") if few else None,
        )
        if FLAGS.from_scratch:
            return model
        return model.with_classes(list(LETTERS), range(len(LETTERS)))

    def make_dataset(step):
        return data.from_arrays(
            images,
            labels,
            keras_sagan.get_preset("letters_32")["batch_size"],
            seed=FLAGS.seed,
            start_step=step,
            steps_per_epoch=50,
        )

    return keras_sagan.train(
        out,
        make_model,
        make_dataset,
        FLAGS.steps,
        settings={"images": len(images), "from_scratch": FLAGS.from_scratch},
        class_names=list(LETTERS),
        checkpoint_every=250,
    )


def find_fonts(folders):
    """Returns the paths of font files, in order."""
    found = [
        path
        for folder in folders
        for path in pathlib.Path(folder).expanduser().rglob("*")
        if path.suffix.lower() in (".ttf", ".otf", ".pfb")
    ]
    return sorted(set(found))


def make_letters(fonts, most):
    """Draws the letters of fonts: uint8 `(typefaces, 26, 32, 32)`."""
    drawn, seen = [], set()
    bar = keras.utils.Progbar(len(fonts), unit_name="font")
    for path in fonts:
        letters = draw_typeface(path)
        if letters is not None and letters.tobytes() not in seen:
            seen.add(letters.tobytes())  # Many files hold the same letters.
            drawn.append(letters)
        bar.add(1)
        if len(drawn) == most:
            break
    if not drawn:
        return np.zeros((0, len(LETTERS), SIDE, SIDE), "uint8")
    letters = np.stack(drawn)
    return letters[look_like_letters(letters)]


def draw_typeface(path):
    """Returns the letters of a font, uint8 `(26, 32, 32)`, or None."""
    try:
        font = ImageFont.truetype(path, 96)
        boxes = [font.getbbox(letter) for letter in LETTERS]
    except (OSError, ValueError):  # Not a font that Pillow can read.
        return None
    sizes = np.array([(x1 - x0, y1 - y0) for x0, y0, x1, y1 in boxes])
    if sizes.min() < 1 or sizes.max() > 960:
        return None
    scale = min(CAPITAL / np.median(sizes[:, 1]), WIDEST / sizes[:, 0].max())
    letters = []
    for letter, (left, top, right, bottom) in zip(LETTERS, boxes):
        image = Image.new("L", (right - left, bottom - top))
        ImageDraw.Draw(image).text((-left, -top), letter, 255, font)
        size = [max(1, min(SIDE, round(scale * n))) for n in image.size]
        image = image.resize(size, Image.Resampling.LANCZOS)
        canvas = Image.new("L", (SIDE, SIDE))
        canvas.paste(image, [(SIDE - n) // 2 for n in size])
        letters.append(np.asarray(canvas))
    return np.stack(letters)


def look_like_letters(letters):
    """Returns for each typeface whether most letters look like themselves.

    A letter does if the median letter that correlates with it most is that of
    its own class.
    """
    x = letters.reshape(len(letters), len(LETTERS), -1).astype("float64")
    medians = np.median(x, axis=0)

    def units(values):
        values = values - values.mean(axis=-1, keepdims=True)
        norms = np.linalg.norm(values, axis=-1, keepdims=True)
        return values / np.maximum(norms, 1e-9)

    correlations = units(x) @ units(medians).T  # (typefaces, 26, 26)
    right = correlations.argmax(axis=-1) == np.arange(len(LETTERS))
    return right.mean(axis=1) >= 0.5


if __name__ == "__main__":
    app.run(main)
