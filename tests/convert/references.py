r"""Runs other implementations and keeps what they give.

    git clone https://github.com/POSTECH-CVLab/PyTorch-StudioGAN STUDIOGAN
    git clone https://github.com/ajbrock/BigGAN-PyTorch BIGGAN
    git clone https://github.com/open-mmlab/mmgeneration MMGENERATION
    git clone https://github.com/brain-research/self-attention-gan RELEASED
    python -m tests.convert.references --studiogan=STUDIOGAN ...

Their code builds and runs the networks, here with weights made by `rule.py`;
`references/*.npz` keep names and shapes of the state dicts, images, logits
and input gradients. Sources that are not given keep their files. mmgeneration
needs mmcv 1.7 (`pip install mmcv==1.7.2`, in an environment of its own).
"""

import argparse
import contextlib
import json
import pathlib
import sys
import types

import numpy as np

from tests.convert import rule

FOLDER = pathlib.Path(__file__).with_name("references")
CLASSES = 5


def save(name, **arrays):
    FOLDER.mkdir(exist_ok=True)
    np.savez_compressed(FOLDER / f"{name}.npz", **arrays)
    size = (FOLDER / f"{name}.npz").stat().st_size
    print(f"{name}: {size / 1000:.0f} kB")


def shapes_of(network):
    return {
        name: list(x.shape)
        for name, x in network.state_dict().items()
        if x.is_floating_point()
    }


def fill(network):
    """Gives a PyTorch network the weights of the rule; returns its shapes."""
    import torch

    shapes = shapes_of(network)
    state = {k: torch.tensor(x) for k, x in rule.make_weights(shapes).items()}
    network.load_state_dict(state, strict=False)
    return shapes


def run_torch(name, generator, discriminator, generate, logits, resolution):
    """Keeps images, logits and input gradients, in inference, in float64."""
    import torch

    networks = generator.double().eval(), discriminator.double().eval()
    shapes = [fill(network) for network in networks]
    latents, labels, images = rule.inputs(resolution, CLASSES, 128)
    labels = torch.tensor(labels)
    with torch.no_grad():
        fakes = generate(torch.tensor(latents), labels)
    x = torch.tensor(images).permute(0, 3, 1, 2).requires_grad_()
    y = logits(x, labels)
    (gradient,) = torch.autograd.grad(y.sum(), x)
    keep(
        name,
        resolution,
        shapes,
        fakes.permute(0, 2, 3, 1).numpy(),
        y.detach().numpy(),
        gradient.permute(0, 2, 3, 1).numpy(),
        [sum(p.numel() for p in n.parameters()) for n in networks],
    )


def keep(name, resolution, shapes, fakes, logits, gradient, parameters):
    step = max(1, resolution // 64)  # Of large images, some pixels.
    save(
        name,
        resolution=resolution,
        generator=json.dumps(shapes[0]),
        discriminator=json.dumps(shapes[1]),
        fakes=fakes[:, ::step, ::step].astype("float32"),
        logits=np.ravel(logits),
        gradient=gradient[:, ::step, ::step].astype("float32"),
        parameters=parameters,
    )


def size(resolution, width, attention):
    return types.SimpleNamespace(
        resolution=resolution,
        base_channels=width,
        num_classes=CLASSES,
        attention_resolution=attention,
    )


def peer(name):
    path = pathlib.Path(__file__).parents[2] / "benchmarks"
    sys.path.insert(0, str(path))
    import peers

    return peers.PEERS[name]


def studiogan(checkout):
    import torch

    build = peer("studiogan").build
    networks = {
        resolution: build(None, size(resolution, width, attention), checkout)
        for resolution, width, attention in (
            (32, 4, 16),
            (64, 8, 32),
            (128, 4, 32),
        )
    }
    from models import resnet

    # Its one-hot labels are float32 whatever the network is.
    resnet.torch = types.SimpleNamespace(**vars(torch))
    resnet.torch.float32 = torch.float64
    for resolution, (g, d) in networks.items():
        run_torch(
            f"studiogan_{resolution}",
            g,
            d,
            g,
            lambda x, y, d=d: d(x, y)["adv_output"],
            resolution,
        )
    g, d = networks[32]
    steps(
        "studiogan",
        g,
        d,
        StudioGANStep(g, d),
        {"lr": 2e-4, "betas": (0.5, 0.999), "eps": 1e-6},
        {"lr": 2e-4, "betas": (0.5, 0.999), "eps": 1e-6},
    )


class StudioGANStep:
    """The order of `worker.py`, with one discriminator update."""

    def __init__(self, generator, discriminator):
        self.g, self.d = generator, discriminator

    def __call__(self, images, labels, draws, optimizers):
        from torch.nn import functional
        from torch.nn.modules.batchnorm import _BatchNorm

        def track(value):
            for module in self.g.modules():
                if isinstance(module, _BatchNorm):
                    module.track_running_stats = value

        (z, y), (z_2, y_2) = draws
        g_optimizer, d_optimizer = optimizers
        track(False)
        self.g.requires_grad_(False)
        self.d.requires_grad_(True)
        d_optimizer.zero_grad()
        fakes = self.g(z, y)
        real = self.d(images, labels)["adv_output"]
        fake = self.d(fakes, y)["adv_output"]
        loss = functional.relu(1.0 - real).mean()
        (loss + functional.relu(1.0 + fake).mean()).backward()
        d_optimizer.step()
        track(True)
        self.d.requires_grad_(False)
        self.g.requires_grad_(True)
        g_optimizer.zero_grad()
        (-self.d(self.g(z_2, y_2), y_2)["adv_output"].mean()).backward()
        g_optimizer.step()


def biggan_pytorch(checkout):
    build = peer("biggan_pytorch").build
    networks = {}
    # At 32 its discriminator would attend after every block of 16 pixels.
    for resolution, attention in ((32, 8), (128, 64)):
        g, d = build(None, size(resolution, 8, attention), checkout)
        networks[resolution] = g, d
        run_torch(f"biggan_pytorch_{resolution}", g, d, g, d, resolution)
    # `utils` wants data sets and more, of which the step uses one function.
    utils = types.ModuleType("utils")
    utils.toggle_grad = lambda model, on: model.requires_grad_(on)
    sys.modules["utils"] = utils
    sys.modules.setdefault("torchvision", types.ModuleType("torchvision"))
    import BigGAN
    import train_fns

    g, d = networks[32]
    pair = BigGAN.G_D(g, d)

    class Drawn:
        """Stands for its distributed noise, with given draws."""

        def __init__(self):
            self.values = []

        def sample_(self):
            self.value = self.values.pop(0)

        def __getitem__(self, index):
            return self.value[index]

    z, y = Drawn(), Drawn()

    def whole(latents, labels, *args, **kwargs):
        return pair(latents[:], labels[:], *args, **kwargs)

    def step(images, labels, draws, optimizers):
        z.values, y.values = (list(x) for x in zip(*draws))
        g.optim, d.optim = optimizers
        config = {"batch_size": len(images), "toggle_grads": True}
        config |= {"num_D_steps": 1, "num_D_accumulations": 1}
        config |= {"num_G_accumulations": 1, "split_D": False}
        config |= {"D_ortho": 0.0, "G_ortho": 0.0, "ema": False}
        train = train_fns.GAN_training_function(
            g, d, whole, z, y, None, {"itr": 0}, config
        )
        train(images, labels)

    adam = {"betas": (0.0, 0.999), "eps": 1e-8}
    steps(
        "biggan_pytorch", g, d, step, {"lr": 1e-4, **adam}, {"lr": 4e-4, **adam}
    )


def steps(name, g, d, step, g_adam, d_adam):
    """Keeps the state after one and after ten training steps, in float64."""
    import torch

    for network in (g, d):
        fill(network)
        network.train()
    optimizers = [
        torch.optim.Adam(g.parameters(), **g_adam),
        torch.optim.Adam(d.parameters(), **d_adam),
    ]
    result = {}
    for i in range(10):
        images, labels, draws = step_inputs(i)
        step(
            torch.tensor(images).permute(0, 3, 1, 2),
            torch.tensor(labels),
            [tuple(map(torch.tensor, draw)) for draw in draws],
            optimizers,
        )
        if i in (0, 9):
            for side, network in (("generator", g), ("discriminator", d)):
                for key, x in network.state_dict().items():
                    if x.is_floating_point():
                        x = sample(x.numpy())
                        result[f"{i + 1}/{side}/{key}"] = x
    save(f"{name}_steps", **result)


def step_inputs(i, n=8):
    """Images, labels, and the latents and labels of both updates."""
    rng = np.random.default_rng([rule.SEED, i])
    images = rng.uniform(-1, 1, (n, 32, 32, 3))
    labels = rng.integers(CLASSES, size=n)
    draws = [
        (rng.standard_normal((n, 128)), rng.integers(CLASSES, size=n))
        for _ in range(2)
    ]
    return images, labels, draws


def sample(x):
    """Returns some entries of a large tensor."""
    x = np.ravel(x)
    return x[:: max(1, len(x) // 1000)].copy()


def mmgeneration(checkout):
    _stub_mmgeneration(checkout)
    from mmgen.models.architectures.biggan import modules as biggan
    from mmgen.models.architectures.sngan_proj import generator_discriminator
    from mmgen.models.architectures.sngan_proj import modules as sngan

    blocks = {
        "SelfAttentionBlock": biggan.SelfAttentionBlock,
        "SNGANGenResBlock": sngan.SNGANGenResBlock,
        "SNGANDiscResBlock": sngan.SNGANDiscResBlock,
        "SNGANDiscHeadResBlock": sngan.SNGANDiscHeadResBlock,
    }

    def build_module(config, defaults=None):
        config = {**config, **(defaults or {})}
        return blocks[config.pop("type")](**config)

    generator_discriminator.build_module = build_module
    # The arguments of its configurations, at small width.
    big_gan = {"init_cfg": {"type": "BigGAN"}, "sn_eps": 1e-8}
    studio = {"init_cfg": {"type": "studio"}}
    settings = {
        "studio_32": (32, 16, 8, 2, 1, studio, {}),
        "studio_128": (128, 4, 8, 4, 1, studio, {}),
        "biggan_128": (
            128,
            4,
            8,
            4,
            1,
            big_gan,
            {
                "norm_eps": 1e-5,
                "auto_sync_bn": False,
                "with_embedding_spectral_norm": False,
            },
        ),
    }
    for name, setting in settings.items():
        resolution, g_width, d_width, g_place, d_place, both, g_only = setting
        common = {"num_classes": CLASSES, "with_spectral_norm": True, **both}
        g = generator_discriminator.SNGANGenerator(
            output_scale=resolution,
            base_channels=g_width,
            attention_after_nth_block=g_place,
            **common,
            **g_only,
        )
        d = generator_discriminator.ProjDiscriminator(
            input_scale=resolution,
            base_channels=d_width,
            attention_after_nth_block=d_place,
            **common,
        )
        run_torch(
            f"mmgeneration_{name}",
            g,
            d,
            lambda z, y, g=g: g(z, label=y),
            lambda x, y, d=d: d(x, y),
            resolution,
        )


def _stub_mmgeneration(checkout):
    """Makes its network files importable without the rest of it.

    `mmgen/__init__.py` and its model packages import every model, which want
    compiled parts of mmcv. mmcv's own layers are the real ones.
    """
    sys.path.insert(0, str(checkout))
    for name in (
        "mmgen",
        "mmgen.models",
        "mmgen.models.architectures",
        "mmgen.models.architectures.biggan",
        "mmgen.models.architectures.sngan_proj",
        "mmgen.utils",
    ):
        module = types.ModuleType(name)
        module.__path__ = [str(checkout / name.replace(".", "/"))]
        sys.modules[name] = module
    registry = types.SimpleNamespace(
        register_module=lambda *args, **kwargs: lambda cls: cls
    )
    builder = types.ModuleType("mmgen.models.builder")
    builder.MODULES, builder.build_module = registry, None
    sys.modules["mmgen.models.builder"] = builder
    sys.modules["mmgen.utils"].check_dist_init = lambda: False
    # mmcv's download of checkpoints would use it.
    sys.modules.setdefault("torchvision", types.ModuleType("torchvision"))
    logger = types.ModuleType("mmgen.utils.logger")
    logger.get_root_logger = None
    sys.modules["mmgen.utils.logger"] = logger


def released(checkout):
    import tensorflow

    tf = tensorflow.compat.v1
    tf.disable_eager_execution()
    tf.contrib = types.SimpleNamespace(
        layers=types.SimpleNamespace(
            xavier_initializer=tf.glorot_uniform_initializer,
            batch_norm=_contrib_batch_norm(tf),
        ),
    )
    tf.layers = types.SimpleNamespace(
        max_pooling2d=lambda inputs, pool_size, strides: tf.nn.max_pool(
            inputs, [1, *pool_size, 1], [1, strides, strides, 1], "VALID"
        )
    )
    sys.modules["tensorflow"] = tf
    sys.path.insert(0, str(checkout))
    import discriminator as d
    import generator as g

    for name, generate, discriminate in (
        ("none", g.generator, d.discriminator),
        ("32", g.generator_test, d.discriminator_test),
        ("64", g.generator_test_64, d.discriminator_test_64),
    ):
        width = 8 if name == "64" else 4
        latents, labels, images = rule.inputs(128, CLASSES, 128)
        with tf.Graph().as_default(), tf.Session() as session:
            z, x, y = (
                tf.placeholder(dtype, shape)
                for dtype, shape in (
                    ("float32", latents.shape),
                    ("float32", images.shape),
                    ("int32", labels.shape),
                )
            )
            with contextlib.redirect_stdout(None):
                fakes = generate(z, y, width, CLASSES, is_training=False)
                # What its own training calls the second time: u stays.
                logits = discriminate(
                    x, y, width, CLASSES, update_collection="NO_OPS"
                )
            (gradient,) = tf.gradients(logits, x)
            shapes = [
                {
                    v.op.name: v.shape.as_list()
                    for v in tf.global_variables()
                    if v.op.name.startswith(f"model/{letter}_")
                }
                for letter in "gd"
            ]
            weights = rule.make_weights({**shapes[0], **shapes[1]})
            for v in tf.global_variables():
                session.run(
                    v.initializer, {v.initializer.inputs[1]: weights[v.op.name]}
                )
            feed = {z: latents, x: images, y: labels}
            results = [session.run(t, feed) for t in (logits, gradient, fakes)]
            trainable = [
                sum(
                    v.shape.num_elements()
                    for v in tf.trainable_variables()
                    if v.op.name.startswith(f"model/{letter}_")
                )
                for letter in "gd"
            ]
        logits, gradient, fakes = results
        keep(
            f"released_{name}", 128, shapes, fakes, logits, gradient, trainable
        )


def _contrib_batch_norm(tf):
    def batch_norm(x, decay, epsilon, scale, is_training, scope):
        assert scale and not is_training
        channels = x.shape.as_list()[-1:]
        with tf.variable_scope(scope):
            beta, gamma, mean, variance = (
                tf.get_variable(name, channels, trainable=trainable)
                for name, trainable in (
                    ("beta", True),
                    ("gamma", True),
                    ("moving_mean", False),
                    ("moving_variance", False),
                )
            )
        return tf.nn.batch_normalization(
            x, mean, variance, beta, gamma, epsilon
        )

    return batch_norm


def main():
    parser = argparse.ArgumentParser()
    sources = [studiogan, biggan_pytorch, mmgeneration, released]
    for source in sources:
        parser.add_argument(f"--{source.__name__}", type=pathlib.Path)
    arguments = vars(parser.parse_args())
    for source in sources:
        if arguments[source.__name__]:
            source(arguments[source.__name__])


if __name__ == "__main__":
    main()
