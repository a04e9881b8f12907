"""The hinge loss of GANs (Lim and Ye, arXiv 1705.02894; SAGAN, eq. 4)."""

from keras import ops

from keras_sagan.backends.precision import mean


def discriminator_hinge_loss(real_logits, fake_logits):
    """Returns `mean(relu(1 - D(x))) + mean(relu(1 + D(G(z))))`.

    Args:
        real_logits: Float tensor `(batch, 1)`, the logits of real images.
        fake_logits: Float tensor `(batch, 1)`, those of generated images.

    Returns:
        A scalar tensor.
    """
    return mean_logit(ops.relu(1.0 - real_logits)) + mean_logit(
        ops.relu(1.0 + fake_logits)
    )


def generator_hinge_loss(fake_logits):
    """Returns `-mean(D(G(z)))`.

    Args:
        fake_logits: Float tensor `(batch, 1)`, the logits of generated images.

    Returns:
        A scalar tensor.
    """
    return -mean_logit(fake_logits)


def mean_logit(logits):
    """Returns the mean of logits `(batch, 1)`, a scalar tensor."""
    return mean(logits, (0, 1))
