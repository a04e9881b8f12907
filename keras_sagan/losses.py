"""The hinge loss of GANs (Lim and Ye, arXiv 1705.02894; SAGAN, eq. 4)."""

from keras import ops


def discriminator_hinge_loss(real_logits, fake_logits):
    """Returns `mean(relu(1 - D(x))) + mean(relu(1 + D(G(z))))`, in float32.

    Args:
        real_logits: Float tensor, the discriminator's output for real images.
        fake_logits: Float tensor, its output for generated images.

    Returns:
        A scalar tensor.
    """
    return ops.mean(ops.relu(1.0 - real_logits)) + ops.mean(
        ops.relu(1.0 + fake_logits)
    )


def generator_hinge_loss(fake_logits):
    """Returns `-mean(D(G(z)))`.

    Args:
        fake_logits: Float tensor, the discriminator's output for generated
            images.

    Returns:
        A scalar tensor.
    """
    return -ops.mean(fake_logits)
