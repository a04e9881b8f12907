"""Sizes of images: which there are, and the networks that they have."""

import pytest

from keras_sagan import sizes

pytestmark = pytest.mark.no_backend


def test_sides_are_b_times_a_power_of_two():
    assert (
        *(12, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80),
        *(96, 112, 128, 160, 192, 224, 256),
    ) == sizes.SIDES


@pytest.mark.parametrize(
    ("resolution", "first", "generator", "discriminator", "attended"),
    [
        # Powers of two: the released networks and StudioGAN's.
        (128, (4, 4), (16, 16, 8, 4, 2, 1), (1, 2, 4, 8, 16, 16), 32),
        (64, (4, 4), (16, 8, 4, 2, 1), (1, 2, 4, 8, 16), 32),
        (32, (4, 4), (4, 4, 4, 4), (2, 2, 2, 2), 16),
        # As many blocks as the next power of two, from a smaller map.
        (96, (3, 3), (16, 16, 8, 4, 2, 1), (1, 2, 4, 8, 16, 16), 24),
        # From a larger map, one block less.
        (112, (7, 7), (16, 8, 4, 2, 1), (1, 2, 4, 8, 16), 28),
        (28, (7, 7), (4, 4, 4), (2, 2, 2, 2), 14),
        ((64, 96), (4, 6), (16, 8, 4, 2, 1), (1, 2, 4, 8, 16), 32),
        ([48, 112], (3, 7), (16, 8, 4, 2, 1), (1, 2, 4, 8, 16), 24),
    ],
)
def test_widths_follow_the_next_power_of_two(
    resolution, first, generator, discriminator, attended
):
    size = sizes.size_of(resolution)
    assert size.first_map == first
    assert size.generator_widths == generator
    assert size.discriminator_widths == discriminator
    assert size.default_attention == attended
    assert size.default_attention in size.generator_maps
    assert size.generator_maps[-1] == size.height


@pytest.mark.parametrize("side", sizes.SIDES)
def test_every_side_makes_networks(side):
    size = sizes.size_of(side)
    assert len(size.generator_widths) == size.doublings + 1
    # The released attention pools its keys: the map is even.
    assert size.default_attention % 2 == 0
    assert size.default_attention <= side // 2
    least = min(size.discriminator_maps)
    assert 3 <= least <= 8


@pytest.mark.parametrize(
    ("resolution", "advice"),
    [
        (30, "; the nearest are 28 and 32"),
        (100, "; the nearest are 96 and 112"),
        (512, "; the nearest are 224 and 256"),
        (1, "; the nearest are 12 and 16"),
        ((64, 128), r"; the nearest are \(64, 112\) and \(80, 112\)"),
        ((64, 90), r"; the nearest are \(64, 80\) and \(64, 96\)"),
        ("64", r"same k\. Received: resolution='64'"),
        (64.0, r"same k\. Received: resolution=64.0"),
        (True, r"same k\. Received: resolution=True"),
        ((64,), r"same k\. Received: resolution=\(64,\)"),
        (0, r"same k\. Received: resolution=0"),
    ],
)
def test_other_sizes_are_refused_with_the_nearest(resolution, advice):
    with pytest.raises(ValueError, match=rf"b \* 2\*\*k pixels.*{advice}"):
        sizes.size_of(resolution)


def test_sizes_in_words():
    assert sizes.text(64) == sizes.text([64, 64]) == "64 pixels"
    assert sizes.text((64, 96)) == "64x96 pixels"
