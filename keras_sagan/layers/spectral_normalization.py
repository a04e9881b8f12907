"""Spectral normalization as a reparametrization of a layer's kernel."""

import keras
from keras import ops

from keras_sagan import backends
from keras_sagan.arguments import check_choice
from keras_sagan.arguments import check_has
from keras_sagan.arguments import check_integer
from keras_sagan.arguments import check_number
from keras_sagan.layers import singular_vectors
from keras_sagan.layers.copies import assign
from keras_sagan.layers.copies import rebuild
from keras_sagan.layers.kernel_layout import kernel_layout
from keras_sagan.layers.singular_vectors import leading_singular_vector
from keras_sagan.layers.together import prepared_matrix

_PACKAGE = "keras_sagan"


@keras.saving.register_keras_serializable(package=_PACKAGE)
class SpectralNormalization(keras.layers.Wrapper):
    """Runs a layer with its kernel divided by the kernel's spectral norm.

    `W_bar = W / sigma(W)` with `sigma(W) = v W u^T` (Miyato et al., eq. 8-12).
    `W` is the kernel reshaped to `(rows, columns)`, where the columns are the
    output channels. `u` and `v` are its leading right and left singular
    vectors, which power iteration updates:
    `v <- normalize(u W^T)`, `u <- normalize(v W)`.

    This is a drop-in replacement for `keras.layers.SpectralNormalization`, with
    three differences:

    - The kernel variable is never changed. The wrapped layer runs with `W_bar`,
      a function of the kernel, so gradients flow through `sigma`, too. They
      treat `u` and `v` as constants, as in PyTorch; in the SAGAN release they
      flow through `u` and `v`.
    - Training and inference use the same effective kernel. A training call
      iterates and stores both vectors. An inference call uses the stored pair
      and changes nothing.
    - A new layer starts from the exact leading singular vectors, so that
      `sigma(W_bar) = 1` from the first call on.

    Gradients of every order are correct, with `u` and `v` as constants and
    `sigma` as a function of the kernel.

    All of this is computed in the dtype of the kernel variable (float32 under
    `mixed_bfloat16`). The wrapped layer then computes in its own dtype.

    Args:
        layer: A `keras.layers.Layer` with a variable `kernel` (convolutions,
            `Dense`, `EinsumDense`, ...) or `embeddings` (`Embedding`).
            The last axis of a kernel is the axis of output channels. In the
            `Conv*Transpose` layers it is the last but one; in `EinsumDense`
            the equation says which axes are outputs; the matrix of an
            `Embedding` is the transposed table, `(output_dim, input_dim)`.
            The matrix of a convolution with groups, such as
            `DepthwiseConv2D`, has one block for each group and is zero
            elsewhere. Each block has its own part of `u` and `v`, and the
            largest norm of a block is `sigma`.
        power_iterations: Positive integer, iterations per training call.
        epsilon: Non-negative float, the smallest norm that a vector is
            divided by. The released code uses 1e-12, BigGAN-PyTorch 1e-8 and
            StudioGAN 1e-6.
        initial_vectors: `"exact"` for the leading singular vectors of the
            initial kernel, or `"random"` for random unit vectors, as in other
            implementations.
        seed: Integer, the seed of the random vectors, or None.
        **kwargs: Base layer arguments. The dtype is that of `layer`.

    Call arguments:
        inputs, *args, **kwargs: The arguments of the wrapped layer.
        training: Whether to run the power iteration. Defaults to the
            training flag of the enclosing call.

    Raises:
        ValueError: If `power_iterations`, `epsilon` or `initial_vectors` is
            out of range, or, in `build`, if the layer has no kernel variable.

    Example:

    >>> layer = keras_sagan.layers.SpectralNormalization(
    ...     keras.layers.Conv2D(8, 3, padding="same"))
    >>> tuple(layer(np.ones((2, 16, 16, 3), "float32")).shape)
    (2, 16, 16, 8)
    >>> float(layer.sigma()) > 0
    True

    Reference: Miyato et al., "Spectral Normalization for Generative
    Adversarial Networks", arXiv 1802.05957.
    """

    def __init__(
        self,
        layer,
        power_iterations=1,
        epsilon=1e-12,
        initial_vectors="exact",
        seed=None,
        **kwargs,
    ):
        check_integer("power_iterations", power_iterations, 1)
        check_number("epsilon", epsilon, 0)
        check_choice("initial_vectors", initial_vectors, ("exact", "random"))
        check_has("layer", layer, "a `keras.layers.Layer`", "variable_dtype")
        super().__init__(layer, **kwargs)
        self.power_iterations = power_iterations
        self.epsilon = float(epsilon)
        self.initial_vectors = initial_vectors
        self.seed = seed
        # The wrapper computes with the float32 kernel. Only the wrapped layer
        # casts, so only its policy decides the compute dtype.
        self.dtype_policy = keras.DTypePolicy(layer.variable_dtype)
        self.autocast = False

    def build(self, input_shape=None):
        super().build(input_shape)
        self._layout = kernel_layout(self.layer, tuple(self.kernel.shape))
        rows, columns = self._layout.matrix_shape
        # These are initializers and not values: a model that is built while it
        # is traced gets its kernels later, and these vectors after them.
        self.u = self.add_weight(
            shape=(columns,),
            initializer=self._initial_u,
            trainable=False,
            name="u",
        )
        self.v = self.add_weight(
            shape=(rows,),
            initializer=lambda shape, dtype: self._normalize(
                singular_vectors.column(self.matrix(), self.u.value), 0.0
            ),
            trainable=False,
            name="v",
        )

    def call(self, inputs, *args, training=False, **kwargs):
        if not training:
            kernel = self.normalized_kernel()
        elif (matrix := prepared_matrix(self)) is not None:
            kernel = self._layout.to_kernel(matrix)
        else:
            kernel = self._normalized_by(*self.iterate())
        return self._call_with_kernel(kernel, inputs, *args, **kwargs)

    def normalized_kernel(self):
        """Returns `W_bar`, in the kernel's own shape and dtype."""
        u, v = (
            backends.snapshot(ops.convert_to_tensor(x))
            for x in (self.u, self.v)
        )
        return self._normalized_by(u, v, self.sigma())

    def sigma(self):
        """Returns the spectral norm `v W u^T`, a scalar tensor.

        With several groups, it is the largest of their norms.
        """
        u, v = ops.convert_to_tensor(self.u), ops.convert_to_tensor(self.v)
        return self._sigma(singular_vectors.row(v, self.matrix()), u)

    def iterate(self):
        """Stores the vectors of `iterated_vectors`; returns them and sigma."""
        u, v, sigma = self.iterated_vectors()
        self.u.assign(u)
        self.v.assign(v)
        return u, v, sigma

    def iterated_vectors(self):
        """Returns `u` and `v` after the power iterations, and their sigma."""
        matrix = ops.stop_gradient(self.matrix())
        u, v = ops.convert_to_tensor(self.u), ops.convert_to_tensor(self.v)
        # A zero kernel (such as a zero-initialized residual branch) must not
        # erase the vectors that later iterations start from.
        for _ in range(self.power_iterations):
            v = self._normalize(singular_vectors.column(matrix, u), v)
            row = singular_vectors.row(v, matrix)
            u = self._normalize(row, u)
        return u, v, self._sigma(row, u)

    def after_averaging(self, momentum):
        """Corrects averaged `u` and `v`, so that they fit the averaged kernel.

        The mean of unit vectors is not a unit vector, and sigma would be too
        small while `u` still changes. A power iteration corrects both.

        Args:
            momentum: Scalar tensor. If it is 0, nothing was averaged, and the
                vectors stay unchanged.
        """
        copied = [ops.convert_to_tensor(x) for x in (self.u, self.v)]
        u, v, _ = self.iterated_vectors()
        self.u.assign(ops.where(momentum > 0, u, copied[0]))
        self.v.assign(ops.where(momentum > 0, v, copied[1]))

    def folded(self):
        """Returns a copy of the wrapped layer whose kernel is `W_bar`.

        In inference, the copy computes the same as this layer. It has the same
        name.
        """
        copy = rebuild(self.layer, name=self.name)
        kernel, normalized = self.kernel, self.normalized_kernel()
        values = self.layer.variables
        assign(
            copy.variables, [normalized if v is kernel else v for v in values]
        )
        return copy

    def around(self, layer):
        """Returns a wrapper like this one around another layer.

        Its `u` and `v` are computed from the kernel of that layer.

        Args:
            layer: A built layer of the same kind as the wrapped one.
        """
        config = {**self.get_config(), "layer": layer, "name": layer.name}
        other = type(self)(**config)
        other.build(self.get_build_config()["input_shape"])
        return other

    def restart(self):
        """Sets `u` and `v` to the singular vectors of the current kernel."""
        self.u.assign(self._initial_u(self.u.shape, self.u.dtype))
        column = singular_vectors.column(self.matrix(), self.u.value)
        self.v.assign(self._normalize(column, 0.0))

    def _normalize(self, vector, otherwise):
        """Divides a vector, or each group's part of it, by its norm."""
        groups = self._layout.groups
        if groups == 1:
            return backends.normalize(vector, self.epsilon, otherwise)
        return singular_vectors.normalize_groups(
            vector, groups, self.epsilon, otherwise
        )

    def _sigmas(self, row, u):
        """Returns the norm of each group, from `v W` and `u`."""
        return ops.sum(ops.reshape(row * u, (self._layout.groups, -1)), 1)

    def _sigma(self, row, u):
        if self._layout.groups == 1:
            return ops.sum(row * u)
        return ops.max(self._sigmas(row, u))

    def _normalized_by(self, u, v, sigma):
        if self._layout.groups > 1:
            # Keep the vectors of the group with the largest norm. The others
            # become zero.
            sigmas = self._sigmas(singular_vectors.row(v, self.matrix()), u)
            chosen = ops.one_hot(ops.argmax(sigmas), len(sigmas), dtype=u.dtype)
            u, v = (singular_vectors.of_group(x, chosen) for x in (u, v))
        # A kernel of zeros stays zero: 0 / 0 would spread NaN in the network.
        matrix = backends.divide_by_norm(
            self.matrix(), *(ops.stop_gradient(x) for x in (sigma, u, v))
        )
        return self._layout.to_kernel(matrix)

    @property
    def kernel(self):
        """The kernel W, a variable of the wrapped layer."""
        # It is not an attribute of the wrapper: it would be saved twice.
        for name in ("kernel", "embeddings"):
            kernel = getattr(self.layer, name, None)
            if not isinstance(kernel, keras.Variable):
                continue
            if "float" in kernel.dtype:
                return kernel
            raise ValueError(
                "`layer` must have a kernel of floats; to quantize a layer, "
                "call `folded()` first and quantize its result. Received: a "
                f"kernel of {kernel.dtype} in {self.name}"
            )
        raise ValueError(
            "`layer` must have a variable `kernel` or `embeddings`, and no "
            f"LoRA. Received: layer={self.layer}"
        )

    def matrix(self):
        """Returns the kernel as the matrix `W`, `(rows, columns)`."""
        return self._layout.to_matrix(ops.convert_to_tensor(self.kernel))

    @property
    def iterates_together(self):
        """Whether this layer can iterate with others; see `together`."""
        return (
            type(self) is SpectralNormalization
            and self.built
            and self._layout.groups == 1
            and self.power_iterations == 1
        )

    def _initial_u(self, shape, dtype):
        if self.initial_vectors == "exact":
            blocks = self._layout.to_blocks(ops.convert_to_tensor(self.kernel))
            u = leading_singular_vector(blocks)
            return ops.cast(ops.reshape(u, shape), dtype)
        normal = keras.initializers.RandomNormal(stddev=1.0, seed=self.seed)
        return self._normalize(normal(shape, dtype), 0.0)

    def _call_with_kernel(self, kernel, *args, **kwargs):
        """Runs the wrapped layer with `kernel` in place of its variable."""
        if hasattr(self.layer, "call_with_kernel"):
            return self.layer.call_with_kernel(kernel, *args, **kwargs)
        variables = self.layer.variables
        mapping = [
            (v, kernel if v is self.kernel else v.value) for v in variables
        ]
        with keras.StatelessScope(mapping, collect_losses=True) as scope:
            before = [scope.get_current_value(v) for v in variables]
            outputs = self.layer(*args, **kwargs)
            after = [scope.get_current_value(v) for v in variables]
        for variable, old, new in zip(variables, before, after):
            if new is not old:  # State that the layer itself changed.
                variable.assign(new)
        for loss in scope.losses:
            self.add_loss(loss)
        return outputs

    def compute_output_shape(self, input_shape):
        return self.layer.compute_output_shape(input_shape)

    def compute_output_spec(self, inputs, *args, training=None, **kwargs):
        return self.layer.compute_output_spec(inputs, *args, **kwargs)

    def get_config(self):
        return {
            **super().get_config(),
            "power_iterations": self.power_iterations,
            "epsilon": self.epsilon,
            "initial_vectors": self.initial_vectors,
            "seed": self.seed,
        }
