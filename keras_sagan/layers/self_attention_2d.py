"""Self-attention over the locations of a feature map."""

import keras
from keras import ops

from keras_sagan import backends
from keras_sagan.arguments import check_bool
from keras_sagan.arguments import check_integer
from keras_sagan.arguments import check_number
from keras_sagan.backends.precision import at_least_float32
from keras_sagan.layers.convolutions import Conv2D
from keras_sagan.layers.copies import assign
from keras_sagan.layers.copies import rebuild
from keras_sagan.layers.spectral_normalization import SpectralNormalization


@keras.saving.register_keras_serializable(package="keras_sagan")
class SelfAttention2D(keras.layers.Layer):
    """Self-attention over the locations of a feature map, as in SAGAN.

    `beta = softmax(f(x) g(x)^T)`, `o = v(beta h(x))`, `y = x + gamma * o`
    (Zhang et al., eq. 1-3). The query `f`, key `g`, value `h` and the output
    projection `v` are 1x1 convolutions. The softmax runs over the keys of each
    query, without a `1 / sqrt(d)` scale. The scalar `gamma` starts at 0, so
    that a new layer is the identity.

    The arguments select one of these forms:

    - The released code (the defaults), which produced the published numbers:
      query and key have C / 8 channels, the value has C / 2, keys and values
      are max-pooled 2x2, and there are no biases.
    - The paper's text: `value_ratio=8, pool_size=1`.
    - The widely copied PyTorch `Self_Attn`: `value_ratio=1, pool_size=1,
      output_projection=False, use_bias=True`.

    Training and inference differ only in the power iteration of the
    spectrally normalized convolutions. Gradients of every order are correct,
    with `u` and `v` of the convolutions as constants. On PyTorch, gradients
    beyond the first order hold all attention scores in memory.

    Args:
        query_ratio: Positive integer; query and key have `C // query_ratio`
            channels, at least 1.
        value_ratio: Positive integer; the value has `C // value_ratio`
            channels, at least 1.
        pool_size: Positive integer, side of the max-pooling of keys and
            values; 1 means no pooling. Must divide the height and width of
            the map.
        output_projection: Whether a 1x1 convolution maps the value back to C
            channels. Without it `value_ratio` must be 1.
        use_bias: Whether the convolutions have biases.
        spectral_normalization: Whether the convolutions are spectrally
            normalized.
        spectral_epsilon: Epsilon of the spectral normalization.
        **kwargs: Base layer arguments.

    Call arguments:
        inputs: Float tensor `(B, H, W, C)`; H, W and C must be known.
        return_attention_scores: Whether to return `beta` as well.

    Returns:
        A tensor `(B, H, W, C)`. With `return_attention_scores`, also the
        attention scores `(B, H * W, keys)`, whose rows sum to 1, where
        `keys = (H / pool_size) * (W / pool_size)`.

    Raises:
        ValueError: If an argument is out of range, if the inputs do not have
            four axes, or if `pool_size` does not divide the map.

    Example:

    >>> attention = keras_sagan.layers.SelfAttention2D()
    >>> y, scores = attention(
    ...     np.ones((2, 16, 16, 32), "float32"), return_attention_scores=True)
    >>> tuple(y.shape), tuple(scores.shape)
    ((2, 16, 16, 32), (2, 256, 64))

    Reference: Zhang et al., "Self-Attention Generative Adversarial Networks",
    arXiv 1805.08318, and its release, `non_local.py`.
    """

    def __init__(
        self,
        query_ratio=8,
        value_ratio=2,
        pool_size=2,
        output_projection=True,
        use_bias=False,
        spectral_normalization=True,
        spectral_epsilon=1e-12,
        **kwargs,
    ):
        for name, value in (
            ("query_ratio", query_ratio),
            ("value_ratio", value_ratio),
            ("pool_size", pool_size),
        ):
            check_integer(name, value, 1)
        for name, value in (
            ("output_projection", output_projection),
            ("use_bias", use_bias),
            ("spectral_normalization", spectral_normalization),
        ):
            check_bool(name, value)
        check_number("spectral_epsilon", spectral_epsilon, 0)
        if not output_projection and value_ratio != 1:
            raise ValueError(
                "`value_ratio` must be 1 without `output_projection`: the "
                "value is added to the input as it is. "
                f"Received: value_ratio={value_ratio}"
            )
        super().__init__(**kwargs)
        self.query_ratio = query_ratio
        self.value_ratio = value_ratio
        self.pool_size = pool_size
        self.output_projection = output_projection
        self.use_bias = use_bias
        self.spectral_normalization = spectral_normalization
        self.spectral_epsilon = float(spectral_epsilon)
        self._map_size = None

    def build(self, input_shape):
        if len(input_shape) != 4 or None in input_shape[1:]:
            raise ValueError(
                "`inputs` must have shape (batch, height, width, channels), of "
                "which only the batch may be unknown. Received: inputs of "
                f"shape {tuple(input_shape)}"
            )
        _, height, width, channels = input_shape
        self._map_size = (height, width)
        if height % self.pool_size or width % self.pool_size:
            raise ValueError(
                "`pool_size` must divide the height and width of the map. "
                f"Received: pool_size={self.pool_size}, a map of "
                f"{height} x {width}"
            )
        narrow = max(1, channels // self.query_ratio)
        value = max(1, channels // self.value_ratio)
        self.query = self._build_projection(narrow, "query", input_shape)
        self.key = self._build_projection(narrow, "key", input_shape)
        self.value = self._build_projection(value, "value", input_shape)
        if self.output_projection:
            self.projection = self._build_projection(
                channels, "projection", (*input_shape[:-1], value)
            )
        self.gamma = self.add_weight(
            shape=(), initializer="zeros", name="gamma"
        )

    def call(self, inputs, return_attention_scores=False, training=False):
        # B images, N = H * W locations, M keys, C channels; a query has D.
        _, height, width, _ = inputs.shape
        f = self._flatten(self.query(inputs, training=training))  # (B, N, D)
        g = self._pool(self.key(inputs, training=training))  # (B, M, D)
        h = self._pool(self.value(inputs, training=training))  # (B, M, C')
        if return_attention_scores:
            scores = f @ ops.transpose(g, (0, 2, 1))  # (B, N, M)
            # bfloat16 has 8 bits of mantissa: too few for a sum of M terms.
            scores = ops.cast(scores, at_least_float32(scores.dtype))
            beta = ops.softmax(scores, axis=-1)
            o = ops.cast(beta, h.dtype) @ h  # (B, N, C')
        else:
            o = backends.attend(f, g, h)  # (B, N, C')
        o = backends.reshape(
            o, (-1, height, width, o.shape[-1])
        )  # (B, H, W, C')
        if self.output_projection:
            o = self.projection(o, training=training)  # (B, H, W, C)
        # A product of tensors: with a variable, Keras 3.16 rounds float64.
        gamma = ops.cast(ops.convert_to_tensor(self.gamma), o.dtype)
        y = inputs + gamma * o
        return (y, beta) if return_attention_scores else y

    @property
    def map_size(self):
        """Height and width of the feature map; None before `build`."""
        return self._map_size

    def logs(self):
        """Returns what `SAGAN.fit` logs of this layer: its `gamma`."""
        return {"gamma": ops.convert_to_tensor(self.gamma)}

    def parts(self):
        """Returns a dict of the convolutions and of `gamma` by name."""
        names = ["query", "key", "value"]
        names += ["projection"] * self.output_projection + ["gamma"]
        return {name: getattr(self, name) for name in names}

    def folded(self):
        """Returns a copy without spectral normalization.

        Its convolutions have the normalized kernels of this layer, so that in
        inference the copy computes the same.
        """
        copy = rebuild(self, spectral_normalization=False)
        assign([copy.gamma], [self.gamma])
        for name, conv in copy.parts().items():
            if name != "gamma":
                own = getattr(self, name)
                own = own.folded() if self.spectral_normalization else own
                assign(conv.variables, own.variables)
        return copy

    def _build_projection(self, channels, name, input_shape):
        conv = Conv2D(
            channels,
            kernel_size=1,
            use_bias=self.use_bias,
            dtype=self.dtype_policy,
            name=name,
        )
        if self.spectral_normalization:
            conv = SpectralNormalization(
                conv, epsilon=self.spectral_epsilon, name=name
            )
        conv.build(input_shape)
        conv.trainable = self.trainable  # False in a layer saved as frozen.
        return conv

    def _pool(self, x):
        if self.pool_size > 1:
            x = backends.max_pool(x, self.pool_size)
        return self._flatten(x)

    @staticmethod
    def _flatten(x):
        _, height, width, channels = x.shape
        return backends.reshape(x, (-1, height * width, channels))

    def compute_output_spec(
        self, inputs, return_attention_scores=False, training=False
    ):
        outputs = keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)
        if not return_attention_scores:
            return outputs
        batch, height, width, _ = inputs.shape
        locations = height * width
        scores = keras.KerasTensor(
            (batch, locations, locations // self.pool_size**2),
            dtype=at_least_float32(self.compute_dtype),
        )
        return outputs, scores

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "query_ratio": self.query_ratio,
            "value_ratio": self.value_ratio,
            "pool_size": self.pool_size,
            "output_projection": self.output_projection,
            "use_bias": self.use_bias,
            "spectral_normalization": self.spectral_normalization,
            "spectral_epsilon": self.spectral_epsilon,
        }
