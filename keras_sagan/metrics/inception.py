"""The Inception network that defines FID and the Inception Score.

It is not `keras.applications.InceptionV3`, which has other weights, counts the
padding of its average pools, averages in the last block where this network
takes the maximum, and resizes in another way.
"""

import keras
import numpy as np
from keras import ops

from keras_sagan import backends
from keras_sagan.data.pixels import as_rgb
from keras_sagan.metrics.inception_weights import SHA256
from keras_sagan.metrics.inception_weights import inception_tensors
from keras_sagan.metrics.resizing import resize_as_tf1

IMAGE_SIZE = 299
_EPSILON = 1e-3  # Of the batch norms.


class Inception:
    """Computes features and logits of images with FID's Inception network.

    It computes in float32 for any global dtype policy, also on GPUs.

    Args:
        tensors: Dict of arrays, with the names of the canonical `.pth` file.
            Defaults to the tensors of that file, which is found or downloaded,
            see `inception_tensors`. With other tensors, the distance is not
            FID.
        logits: `"unbiased"`, without the bias of the last layer, as in
            torch-fidelity's Inception Score; or `"biased"`.
        name: String, the name of the extractor in reports.

    Call arguments:
        images: uint8 `(N, height, width, channels)`, or floats in [-1, 1],
            which are not rounded. Gray images (1 channel) are repeated three
            times, and those with alpha (4 channels) are composited onto white.

    Returns:
        Float32 arrays: features `(N, 2048)` and logits `(N, 1008)`.

    Example:

    >>> images, labels = keras_sagan.data.load_digits()
    >>> inception = keras_sagan.metrics.Inception()  # doctest: +SKIP
    >>> features, logits = inception(images[:4])  # doctest: +SKIP
    >>> features.shape, logits.shape  # doctest: +SKIP
    ((4, 2048), (4, 1008))

    Reference: Heusel et al., arXiv 1706.08500.
    """

    def __init__(self, tensors=None, logits="unbiased", name=None):
        if logits not in ("unbiased", "biased"):
            raise ValueError(
                '`logits` must be "unbiased" or "biased". '
                f"Received: logits={logits!r}"
            )
        if tensors is None:
            tensors = inception_tensors()
            name = name or f"inception-2015-12-05, sha256 {SHA256[:8]}"
        self.name = name or "Inception with weights of your own: not FID"
        self.logits = logits
        with backends.alone():
            self.network = build_inception(tensors)
        # XLA's convolutions are slower than TensorFlow's own on a CPU.
        self.network.jit_compile = keras.backend.backend() == "jax"

    def __call__(self, images):
        x = as_rgb(np.asarray(images))
        if x.dtype == np.uint8:  # Scaled after the resize, as TF1's graph does.
            centre, scale = 128.0, 128.0
        else:
            centre, scale = 0.0, 1.0
        x = ops.convert_to_tensor(x, "float32")
        with backends.full_float32():
            x = (resize_as_tf1(x, IMAGE_SIZE) - centre) / scale
            outputs = backends.predict(self.network, x)
        logits = "logits_unbiased" if self.logits == "unbiased" else "logits"
        return outputs["features"], outputs[logits]


@keras.saving.register_keras_serializable(package="keras_sagan")
class _Convolution(keras.layers.Conv2D):
    """A convolution in the form that is fastest on each backend."""

    def call(self, inputs):
        kernel, bias = (
            ops.convert_to_tensor(x) for x in (self.kernel, self.bias)
        )
        return backends.convolve(
            inputs, kernel, bias, self.strides[0], self.padding
        )


def build_inception(tensors):
    """Builds the Inception network of FID from a dict of its tensors.

    Batch norms are folded into the convolutions before them, in float64, and
    the 1x1 convolutions that begin the branches of a block are joined. The
    network computes in float32 for any global dtype policy.

    Args:
        tensors: Dict of arrays, with the names of the canonical `.pth` file.

    Returns:
        A `keras.Model` from normalized images `(batch, 299, 299, 3)` to a
        dict of floats: `features` `(batch, 2048)`, and `logits` and
        `logits_unbiased` (without the bias) `(batch, 1008)`. `Inception`
        resizes and normalizes images for it.

    Raises:
        ValueError: If tensors are missing, unknown or of the wrong shape.

    Example:

    >>> tensors = keras_sagan.metrics.inception_tensors()  # doctest: +SKIP
    >>> network = keras_sagan.metrics.build_inception(  # doctest: +SKIP
    ...     tensors)
    >>> network.output["features"].shape  # doctest: +SKIP
    (None, 2048)

    References: Szegedy et al., arXiv 1512.00567; Heusel et al., arXiv
    1706.08500 (this is its graph, `inception-2015-12-05`).
    """
    network = _Network(tensors)
    shape = (IMAGE_SIZE, IMAGE_SIZE, 3)
    images = keras.Input(shape, name="images", dtype="float32")
    x = network.stem(images)  # (batch, 35, 35, 192)
    for name in ("5b", "5c", "5d"):
        x = network.block_a(x, f"Mixed_{name}.")
    x = network.block_b(x, "Mixed_6a.")  # (batch, 17, 17, 768)
    for name in ("6b", "6c", "6d", "6e"):
        x = network.block_c(x, f"Mixed_{name}.")
    x = network.block_d(x, "Mixed_7a.")  # (batch, 8, 8, 1280)
    x = network.block_e(x, "Mixed_7b.", keras.layers.AveragePooling2D)
    x = network.block_e(x, "Mixed_7c.", keras.layers.MaxPooling2D)
    features = ops.mean(x, axis=(1, 2))  # (batch, 2048)
    unbiased, logits = network.classify(features)
    network.check_all_used()
    outputs = {
        "features": features,
        "logits_unbiased": unbiased,
        "logits": logits,
    }
    return keras.Model(images, outputs, name="inception", trainable=False)


class _Network:
    """Builds the layers, and sets their weights."""

    def __init__(self, tensors):
        self.tensors = tensors
        self.used = set()

    def stem(self, x):
        x = self.convolve(x, "Conv2d_1a_3x3", stride=2, padding="valid")
        x = self.convolve(x, "Conv2d_2a_3x3", padding="valid")
        x = _max_pool(self.convolve(x, "Conv2d_2b_3x3"))
        x = self.convolve(x, "Conv2d_3b_1x1")
        return _max_pool(self.convolve(x, "Conv2d_4a_3x3", padding="valid"))

    def block_a(self, x, name):
        one, five, double, pooled = self.heads(
            x,
            name,
            ["branch1x1", "branch5x5_1", "branch3x3dbl_1"],
            keras.layers.AveragePooling2D,
        )
        five = self.convolve(five, f"{name}branch5x5_2")
        double = self.convolve(double, f"{name}branch3x3dbl_2")
        double = self.convolve(double, f"{name}branch3x3dbl_3")
        return ops.concatenate([one, five, double, pooled], axis=-1)

    def block_b(self, x, name):
        three = self.convolve(x, f"{name}branch3x3", stride=2, padding="valid")
        double = self.convolve(x, f"{name}branch3x3dbl_1")
        double = self.convolve(double, f"{name}branch3x3dbl_2")
        double = self.convolve(
            double, f"{name}branch3x3dbl_3", stride=2, padding="valid"
        )
        return ops.concatenate([three, double, _max_pool(x)], axis=-1)

    def block_c(self, x, name):
        one, seven, double, pooled = self.heads(
            x,
            name,
            ["branch1x1", "branch7x7_1", "branch7x7dbl_1"],
            keras.layers.AveragePooling2D,
        )
        for i in (2, 3):
            seven = self.convolve(seven, f"{name}branch7x7_{i}")
        for i in (2, 3, 4, 5):
            double = self.convolve(double, f"{name}branch7x7dbl_{i}")
        return ops.concatenate([one, seven, double, pooled], axis=-1)

    def block_d(self, x, name):
        three, seven = self.heads(x, name, ["branch3x3_1", "branch7x7x3_1"])
        three = self.convolve(
            three, f"{name}branch3x3_2", stride=2, padding="valid"
        )
        seven = self.convolve(seven, f"{name}branch7x7x3_2")
        seven = self.convolve(seven, f"{name}branch7x7x3_3")
        seven = self.convolve(
            seven, f"{name}branch7x7x3_4", stride=2, padding="valid"
        )
        return ops.concatenate([three, seven, _max_pool(x)], axis=-1)

    def block_e(self, x, name, pool):
        one, three, double, pooled = self.heads(
            x, name, ["branch1x1", "branch3x3_1", "branch3x3dbl_1"], pool
        )
        double = self.convolve(double, f"{name}branch3x3dbl_2")
        split = [
            self.convolve(y, f"{name}{branch}{side}")
            for y, branch in (
                (three, "branch3x3_2"),
                (double, "branch3x3dbl_3"),
            )
            for side in "ab"
        ]
        return ops.concatenate([one, *split, pooled], axis=-1)

    def heads(self, x, name, branches, pool=None):
        """Runs the 1x1 convolutions of an input as one, and its pooled branch.

        An average pool and a 1x1 convolution commute, so the pool comes
        second, where there are fewer channels.
        """
        names = [f"{name}{branch}" for branch in branches]
        average = pool is keras.layers.AveragePooling2D
        if average:
            names.append(f"{name}branch_pool")
        outputs = self.convolve(x, *names, activation=not average)
        if average:
            *outputs, pooled = outputs
            outputs = [ops.relu(y) for y in outputs]
        if pool is not None:
            layer = pool(3, 1, "same", **_POOL)
            pooled = (
                ops.relu(layer(pooled))
                if average
                else self.convolve(layer(x), f"{name}branch_pool")
            )
            outputs = [*outputs, pooled]
        return outputs

    def convolve(self, x, *names, stride=1, padding="same", activation=True):
        """Runs convolution, norm and ReLU; returns a list for several names."""
        kernels, biases = zip(*(self.folded(n, x.shape[-1]) for n in names))
        kernel = np.concatenate(kernels, axis=-1)
        layer = _Convolution(
            kernel.shape[-1],
            kernel.shape[:2],
            stride,
            padding,
            kernel_initializer="zeros",
            dtype="float32",
            name=names[0].replace(".", "_"),
        )
        y = layer(x)
        layer.set_weights([kernel, np.concatenate(biases)])
        y = ops.relu(y) if activation else y
        if len(names) == 1:
            return y
        sizes = np.cumsum([k.shape[-1] for k in kernels])[:-1]
        return ops.split(y, sizes.tolist(), axis=-1)

    def folded(self, name, channels):
        """Returns kernel `(h, w, C, D)` and bias, with batch norm folded in."""
        kernel = self.get(f"{name}.conv.weight", 4)  # (D, C, h, w)
        if kernel.shape[1] != channels:
            raise ValueError(
                f"`tensors` must hold {name}.conv.weight for {channels} "
                f"channels. Received: shape {kernel.shape}"
            )
        gain, offset, mean, variance = (
            self.get(f"{name}.bn.{part}", 1, len(kernel))
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        gain = gain / np.sqrt(variance + _EPSILON)
        kernel = kernel.transpose(2, 3, 1, 0) * gain
        return kernel, offset - mean * gain

    def classify(self, features):
        """Returns the logits without and with the bias."""
        kernel, bias = self.get("fc.weight", 2), self.get("fc.bias", 1)
        layer = keras.layers.Dense(
            len(bias),
            use_bias=False,
            kernel_initializer="zeros",
            dtype="float32",
            name="fc",
        )
        unbiased = layer(features)
        layer.set_weights([kernel.T])
        return unbiased, unbiased + ops.convert_to_tensor(bias, "float32")

    def get(self, name, rank, length=None):
        tensor = self.tensors.get(name)
        if tensor is None:
            raise ValueError(
                f"`tensors` must be those of the Inception network of FID. "
                f"Received: {len(self.tensors)} tensors without {name}"
            )
        if tensor.ndim != rank or length not in (None, len(tensor)):
            raise ValueError(
                "`tensors` must be those of the Inception network of FID. "
                f"Received: {name} of shape {tensor.shape}"
            )
        self.used.add(name)
        return np.float64(tensor)

    def check_all_used(self):
        left = sorted(
            name
            for name in set(self.tensors) - self.used
            # Nothing reads these counts of batches.
            if not name.endswith("num_batches_tracked")
        )
        if left:
            raise ValueError(
                "`tensors` must be those of the Inception network of FID. "
                f"Received: {len(left)} others, such as {left[0]}"
            )


_POOL = {"data_format": "channels_last", "dtype": "float32"}


def _max_pool(x):
    return keras.layers.MaxPooling2D(3, 2, **_POOL)(x)
