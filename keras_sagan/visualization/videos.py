"""Videos as animated image files."""

import re

import numpy as np

from keras_sagan.arguments import check_integer
from keras_sagan.arguments import check_number
from keras_sagan.arguments import check_path
from keras_sagan.files import replacing
from keras_sagan.visualization.drawing import pillow
from keras_sagan.visualization.drawing import words
from keras_sagan.visualization.grids import image_grid

_OPTIONS = {
    ".gif": {},
    ".webp": {"quality": 90},
    ".png": {},
    ".apng": {"format": "PNG"},
}


def save_video(frames, path, frames_per_second=10, scale=1):
    """Saves pictures as a video that loops forever.

    Args:
        frames: uint8 `(frames, height, width, channels)`; or `(frames, N,
            height, width, channels)`, as walks return them, for N videos side
            by side in a grid. There are 1, 3 or 4 channels; transparent images
            are laid on a checkerboard.
        path: File to save to, which ends in `.gif`, `.webp`, or `.png` or
            `.apng` for an animated PNG. Only an animated PNG keeps every
            colour.
        frames_per_second: Positive number, up to 50.
        scale: Positive integer, enlargement of each pixel.

    Raises:
        ValueError: If an argument is out of range.
        ImportError: If Pillow is missing.

    Example:

    >>> frames = np.zeros((3, 8, 8, 3), "uint8")
    >>> keras_sagan.visualization.save_video(frames, "video.gif")
    """
    suffix = check_path("path", path).suffix.lower()
    if suffix not in _OPTIONS:
        raise ValueError(
            f"`path` must end in one of {', '.join(_OPTIONS)}. "
            f"Received: path={path}"
        )
    check_number("frames_per_second", frames_per_second, 0, 50, low_open=True)
    check_integer("scale", scale, 1)
    frames = np.asarray(frames)
    if frames.ndim not in (4, 5) or not len(frames):
        raise ValueError(
            "`frames` must be uint8 of shape (frames, height, width, "
            "channels) or (frames, N, height, width, channels). Received: "
            "frames of shape "
            f"{frames.shape}"
        )
    if frames.ndim == 4:
        frames = frames[:, None]
    padding = 0 if frames.shape[1] == 1 else 1
    picture, _, _ = pillow()
    first, *others = [
        picture.fromarray(image_grid(frame, scale=scale, padding=padding))
        for frame in frames
    ]
    with replacing(path) as temporary:
        first.save(
            temporary,
            save_all=True,
            append_images=others,
            duration=round(1000 / frames_per_second),
            loop=0,
            **_OPTIONS[suffix],
        )


def training_video(directory, path, frames_per_second=5):
    """Makes a video of the grids that `SampleGrid` saved, each with its step.

    Args:
        directory: Folder of `step_00001000.png` and so on.
        path: As in `save_video`.
        frames_per_second: As in `save_video`.

    Returns:
        A list of integers, the steps that the video shows.

    Raises:
        ValueError: If there are no such files, or they differ in size.
        ImportError: If Pillow is missing.

    Example:

    >>> for step in (1000, 2000):
    ...     images = np.full((4, 16, 16, 3), step // 10, "uint8")
    ...     grid = keras_sagan.visualization.image_grid(
    ...         images, path=f"samples/step_{step:08d}.png")
    >>> keras_sagan.visualization.training_video("samples", "training.gif")
    [1000, 2000]
    """
    files = {}
    check_path("path", path)
    directory = check_path("directory", directory)
    for file in directory.glob("step_*.png"):
        if match := re.fullmatch(r"step_(\d+)", file.stem):
            files[int(match[1])] = file
    if not files:
        raise ValueError(
            "`directory` must hold grids that `SampleGrid` saved, such as "
            f"step_00001000.png. Received: directory={directory}"
        )
    picture, _, _ = pillow()
    frames = []
    for step, file in sorted(files.items()):
        with picture.open(file) as image:
            frame = np.asarray(image.convert("RGB"))
        line = words(f"step {step:,}", frame.shape[1], 20)
        frames.append(np.concatenate([line, frame]))
    sizes = {frame.shape[:2] for frame in frames}
    if len(sizes) > 1:
        raise ValueError(
            "`directory` must hold the grids of one run, all of one size. "
            f"Received: directory={directory}, with sizes {sorted(sizes)}"
        )
    save_video(np.stack(frames), path, frames_per_second)
    return sorted(files)
