import numpy as np
import pytest
from PIL import Image

from keras_sagan import visualization

pytestmark = pytest.mark.no_backend


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png", ".apng"])
def test_film_has_its_frames(suffix, tmp_path):
    frames = np.zeros((3, 8, 8, 3), "uint8")
    frames[0, ..., 0] = frames[1, ..., 1] = frames[2, ..., 2] = 200
    path = tmp_path / f"video{suffix}"
    visualization.save_video(frames, path, frames_per_second=4, scale=2)
    with Image.open(path) as video:
        assert video.n_frames == 3 and video.size == (16, 16)
        assert video.info["loop"] == 0
        for i in range(3):
            video.seek(i)
            video.load()
            assert video.info["duration"] == 250
            pixel = np.array(video.convert("RGB").getpixel((5, 5)))
            assert pixel.argmax() == i and abs(pixel[i] - 200) < 8
    assert len(list(tmp_path.iterdir())) == 1


def test_walks_lie_side_by_side(tmp_path, rng):
    frames = rng.integers(256, size=(2, 4, 8, 8, 3), dtype="uint8")
    visualization.save_video(frames, tmp_path / "video.png")
    with Image.open(tmp_path / "video.png") as video:
        video.seek(1)
        np.testing.assert_array_equal(
            np.asarray(video.convert("RGB")),
            visualization.image_grid(frames[1], 2),
        )


def test_training_film_is_in_order(tmp_path):
    for step, level in ((900, 50), (1000, 200), (0, 0)):
        image = np.full((20, 60, 3), level, "uint8")
        visualization.image_grid(
            image[None], padding=0, path=tmp_path / f"step_{step:08d}.png"
        )
    (tmp_path / "step_by_step.png").write_bytes(b"")
    steps = visualization.training_video(tmp_path, tmp_path / "video.apng")
    assert steps == [0, 900, 1000]
    with Image.open(tmp_path / "video.apng") as video:
        levels = []
        for i in range(video.n_frames):
            video.seek(i)
            levels.append(video.convert("L").getpixel((30, 35)))
        assert levels == [0, 50, 200] and video.size == (60, 40)
    visualization.image_grid(
        image[None], scale=2, path=tmp_path / "step_00002000.png"
    )
    with pytest.raises(ValueError, match="of one run, all of one size"):
        visualization.training_video(tmp_path, tmp_path / "video.gif")


def test_refuses(tmp_path):
    frames = np.zeros((2, 4, 4, 3), "uint8")
    with pytest.raises(ValueError, match=r"must end in one of .gif, .webp"):
        visualization.save_video(frames, tmp_path / "video.mp4")
    with pytest.raises(ValueError, match="`frames_per_second` must be in"):
        visualization.save_video(frames, tmp_path / "video.gif", 0)
    with pytest.raises(ValueError, match="`frames` must be uint8 of shape"):
        visualization.save_video(frames[0], tmp_path / "video.gif")
    with pytest.raises(ValueError, match="must hold grids that `SampleGrid`"):
        visualization.training_video(tmp_path, tmp_path / "video.gif")
    with pytest.raises(ValueError, match="as many as there are rows, 1"):
        visualization.image_grid(frames, row_names=["a", "b"], columns=2)
