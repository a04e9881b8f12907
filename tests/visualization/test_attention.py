"""The maps are those that the networks use, and the figures show them."""

from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
from PIL import Image

from keras_sagan import visualization
from keras_sagan.layers import SelfAttention2D
from keras_sagan.visualization.drawing import QUERY_COLORS
from tests.helpers import array
from tests.helpers import relative_error
from tests.helpers import tiny_networks


def recomputed(attention, x, scores):
    """The layer's output of its input and maps, in NumPy."""
    n, height, width, _ = x.shape
    value = array(attention.value(x, training=False))
    pool = attention.pool_size
    value = value.reshape(n, height // pool, pool, width // pool, pool, -1)
    value = value.max((2, 4)).reshape(n, -1, value.shape[-1])
    beta = scores.reshape(n, height * width, -1)
    o = (beta @ value).reshape(n, height, width, -1).astype("float32")
    o = array(attention.projection(o, training=False))
    return x + array(attention.gamma) * o


@pytest.mark.parametrize("network", ["generator", "discriminator"])
@pytest.mark.parametrize("ema", [True, False])
def test_maps_give_the_output_of_the_layer(network, ema, model):
    labels = [0, 2, 1]
    maps = visualization.attention_maps(
        model, labels=labels, seed=3, network=network, ema=ema
    )
    images = model.generate(labels, seed=3, ema=ema)
    np.testing.assert_array_equal(maps.images, images)
    net, first = model.discriminator, images / 127.5 - 1
    if network == "generator":
        net = model.ema_generator if ema else model.generator
        first, _ = model.draw_inputs(labels, seed=3)
    attention = net.get_layer("attention_8")
    inside = keras.Model(net.inputs, [attention.input, attention.output])
    x, y = inside([first, np.array(labels)])
    assert maps.scores.shape == (3, 8, 8, 4, 4)
    np.testing.assert_allclose(maps.scores.sum((3, 4)), 1, rtol=1e-5)
    y_again = recomputed(attention, array(x), maps.scores)
    assert relative_error(y_again, array(y)) < 1e-5
    # Which it would not be by other maps.
    others = recomputed(attention, array(x), maps.scores[::-1])
    assert relative_error(others, array(y)) > 1e-4
    assert maps.gamma == pytest.approx(float(array(attention.gamma)))
    assert (maps.network, maps.layer) == (net.name, "attention_8")


def red_looks_at_green(pool_size=1):
    """A network in which red pixels look at green ones, and no others do."""
    attention = SelfAttention2D(
        query_ratio=1,
        value_ratio=1,
        pool_size=pool_size,
        output_projection=False,
        use_bias=True,
        spectral_normalization=False,
    )
    inputs = keras.Input((8, 8, 3))
    network = keras.Model(inputs, attention(inputs))
    for conv, channel, weight in (
        (attention.query, 0, 10.0),
        (attention.key, 1, 1.0),
    ):
        kernel = np.zeros((1, 1, 3, 3))
        kernel[0, 0, channel, 0] = weight
        conv.kernel.assign(kernel)
        conv.bias.assign([weight, 0.0, 0.0])  # A pixel of 0 is -1.
    return network


@pytest.mark.parametrize("pool_size", [1, 2])
def test_a_query_looks_where_it_should(pool_size):
    images = np.zeros((2, 8, 8, 3), "uint8")
    images[0, 6, 1, 0] = images[1, 3, 7, 0] = 255  # Red, at (x, y) = (1, 6).
    images[0, 2, 5, 1] = images[1, 7, 4, 1] = 255  # Green, at (5, 2).
    red, green = [(1, 6), (7, 3)], [(5, 2), (4, 7)]
    maps = visualization.attention_maps(
        red_looks_at_green(pool_size),
        images=images,
        queries=np.stack([red, green], axis=1),
    )
    keys = 8 // pool_size
    assert maps.maps.shape == (2, 2, keys, keys)
    for i, (x, y) in enumerate(green):
        expected = np.zeros((keys, keys))
        expected[y // pool_size, x // pool_size] = 1
        np.testing.assert_allclose(maps.maps[i, 0], expected, atol=1e-6)
        np.testing.assert_allclose(maps.maps[i, 1], keys**-2, rtol=1e-5)
    figure = visualization.attention_figure(maps, index=0, panel=80)
    side = 80 + 8  # Frames and margins.
    assert figure.shape[0] == 20 + 2 * side + 20
    # As wide as the title, which ends in text.
    assert figure.shape[1] > 3 * side
    assert figure[:20, -20:].min() < 200  # Text.
    assert figure[20:, 3 * side :].min() == 255
    figure = figure[:, : 3 * side]
    # Above, on the image: the dots of both queries; below: its red pixel.
    upper, lower = figure[20 : 20 + side], figure[20 + side : 20 + 2 * side]
    assert tuple(upper[4 + 65, 4 + 15]) == QUERY_COLORS[0]
    assert tuple(upper[4 + 25, 4 + 55]) == QUERY_COLORS[1]
    assert tuple(lower[4 + 65, 4 + 15]) == (255, 0, 0)
    # Beside it the first query's: brightest at the green pixel.
    for row in (upper, lower):
        panel = row[4:-4, side + 4 : 2 * side - 4].sum(axis=-1)
        panel = panel.reshape(8, 10, 8, 10).mean((1, 3)).astype(int)
        panel[6, 1] = 0  # The dot.
        y, x = np.unravel_index(panel.argmax(), panel.shape)
        assert (x // pool_size, y // pool_size) == (
            5 // pool_size,
            2 // pool_size,
        )
    # The second one's is flat, and looks it.
    panel = lower[4:-4, 2 * side + 4 : -4]
    assert (panel == panel[0, 0]).all() and panel.max() < 200


class Subclassed(keras.Model):
    """A model that Keras does not know the graph of."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def call(self, inputs, training=False):
        return self.network(inputs * 1.0, training=training)


class OwnAttention(keras.layers.Layer):
    """Each location looks at the first one alone."""

    def build(self, shape):
        self.gamma = self.add_weight(shape=(), initializer="ones")

    def call(self, x, return_attention_scores=False):
        n = x.shape[1] * x.shape[2]
        scores = keras.ops.zeros_like(keras.ops.reshape(x, (-1, n, 3)))
        scores = keras.ops.repeat(scores[..., :1], n, axis=-1)
        scores = scores + keras.ops.one_hot(0, n)
        return (x, scores) if return_attention_scores else x


@pytest.mark.parametrize("kind", ["nested", "subclassed"])
def test_attention_is_shown_wherever_it_is(kind, rng):
    images = rng.integers(0, 256, (3, 8, 8, 3), "uint8")
    network = red_looks_at_green()
    inputs = keras.Input((8, 8, 3))
    outer = Subclassed(network)
    if kind == "nested":
        outer = keras.Model(inputs, network(inputs * 1.0))
    (layer,) = visualization.attention_layers(outer)
    assert isinstance(layer, SelfAttention2D)
    expected = visualization.attention_maps(network, images).scores
    maps = visualization.attention_maps(outer, images, layer=layer)
    np.testing.assert_allclose(maps.scores, expected, rtol=1e-4)
    # Afterwards the layer is as before.
    x = images / 127.5 - 1
    assert not isinstance(outer(x.astype("float32")), tuple)


def test_attention_of_a_users_layer_is_shown(rng):
    inputs = keras.Input((8, 8, 3))
    network = keras.Model(inputs, OwnAttention(name="own")(inputs))
    images = rng.integers(0, 256, (2, 8, 8, 3), "uint8")
    maps = visualization.attention_maps(network, images)
    assert maps.layer == "own" and maps.gamma == 1
    assert (maps.scores[:, :, :, 0, 0] == 1).all()
    assert maps.scores.shape == (2, 8, 8, 8, 8) and maps.scores.sum() == 128


def test_labels_have_the_form_that_the_network_asks_for(rng):
    """One-hot labels, that the attention looks at."""
    inputs, kinds = keras.Input((8, 8, 3)), keras.Input((3,))
    x = keras.ops.pad(kinds[:, None, None], ((0, 0), (0, 7), (0, 7), (0, 0)))
    attention = red_looks_at_green().layers[-1]
    network = keras.Model([inputs, kinds], attention(inputs + x))
    images = np.zeros((2, 8, 8, 3), "uint8")
    images[:, 6, 1, 0] = 255  # Red looks at the corner where the class is 1.
    maps = visualization.attention_maps(network, images, labels=[0, 1])
    looks = maps.scores[:, 6, 1, 0, 0]
    assert looks[1] > 0.99 and looks[0] < 0.1


@pytest.mark.no_backend
def test_other_threads_may_run_the_network_meanwhile(rng):
    """As those of the app: each gets what it asked for."""
    network = red_looks_at_green()
    images = rng.integers(0, 256, (40, 8, 8, 3), "uint8")
    expected = visualization.attention_maps(network, images).scores
    x = images.astype("float32") / 127.5 - 1
    outputs = array(network(x))

    def maps(i):
        return visualization.attention_maps(network, images).scores

    def run(i):
        return array(network(x))

    with ThreadPoolExecutor(4) as pool:
        tasks = [pool.submit((maps, run)[i % 2], i) for i in range(60)]
        for i, task in enumerate(tasks):
            again = (expected, outputs)[i % 2]
            np.testing.assert_allclose(task.result(), again, atol=1e-5)


@pytest.mark.no_backend
def test_chosen_points_stand_for_what_there_is_to_see():
    scores = np.full((1, 4, 6, 2, 2), 0.01, "float32")
    scores[:, :, :4, 0, 0] = scores[:, :, 4:, 1, 1] = 0.97
    points = visualization.queries.representative_queries(scores, 2, (40, 60))
    assert sorted(points[0, :, 0] < 40) == [False, True]
    many = visualization.queries.representative_queries(scores, 24, (40, 60))
    assert len(set(map(tuple, many[0]))) == 24


def test_shows_other_points_without_the_network(model):
    maps = visualization.attention_maps(model, labels=1, seed=0, queries=2)
    assert maps.queries.shape == (1, 2, 2)
    moved = maps.at([(15, 0), (0, 15), (7, 8)])
    np.testing.assert_array_equal(moved.locations[0], [(0, 7), (7, 0), (4, 3)])
    np.testing.assert_array_equal(moved.maps[0, 2], maps.scores[0, 4, 3])
    assert maps.queries.shape == (1, 2, 2)


def test_saves_a_figure_of_each_image_and_a_sheet(tmp_path, model):
    maps = visualization.attention_maps(
        model, images=np.zeros((2, 16, 16, 3), "uint8"), queries=3
    )
    assert maps.network == "discriminator" and maps.labels is None
    paths = visualization.save_attention(maps, tmp_path / "new")
    names = ["000", "001", "sheet"]
    assert [p.name for p in paths] == [
        f"discriminator_attention_8_{name}.png" for name in names
    ]
    assert sorted(paths) == sorted((tmp_path / "new").iterdir())
    assert Image.open(paths[-1]).size == (4 * 104, 2 * 104)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"network": "both"}, "`network` must be one of None, 'generator'"),
        ({"layer": "attention_64"}, r"`layer` must .* one of \['attention_8'"),
        ({"queries": 0}, "`queries` must be from 1 to 64"),
        ({"queries": [(1, 2, 3)]}, "`queries` must be a positive integer or"),
        ({"queries": [(0.5, 2)]}, "`queries` must be a positive integer or"),
        ({"queries": [(0, 16)]}, r"from \(0, 0\) to \(15, 15\).*: \(0, 16\)"),
        ({"labels": 3}, r"`labels` must be in \[0, 3\)"),
        ({"images": np.zeros((1, 16, 16, 3))}, "`images` must be uint8"),
        (
            {"images": np.zeros((1, 8, 8, 3), "uint8")},
            r"uint8 of shape \(N, 16, 16, 3\)",
        ),
        (
            {"images": np.zeros((1, 16, 16, 3), "u1"), "network": "generator"},
            "`images` must be None for the generator",
        ),
    ],
)
def test_refuses(kwargs, message, model):
    with pytest.raises(ValueError, match=message):
        visualization.attention_maps(model, **kwargs)


def test_refuses_models_without_what_it_shows(any_singular_vector):
    generator, discriminator = tiny_networks(attention_resolutions=())
    images = np.zeros((1, 16, 16, 3), "uint8")
    with pytest.raises(ValueError, match="must have an attention layer"):
        visualization.attention_maps(discriminator, images=images)
    with pytest.raises(ValueError, match="`images` must be given for a model"):
        visualization.attention_maps(generator)
    _, two = tiny_networks(resolution=32, attention_resolutions=(8, 16))
    with pytest.raises(
        ValueError, match=r"'attention_16', 'attention_8'.*None"
    ):
        visualization.attention_maps(two, np.zeros((1, 32, 32, 3), "uint8"))
    network = red_looks_at_green()
    maps = visualization.attention_maps(
        network, np.zeros((1, 8, 8, 3), "uint8"), queries=1
    )
    with pytest.raises(
        ValueError, match="`index` must be an integer from -1 to 0"
    ):
        visualization.attention_figure(maps, index=1)
