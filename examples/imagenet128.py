r"""Trains SAGAN on ImageNet at 128 pixels, or on other images.

    KERAS_BACKEND=jax python examples/imagenet128.py --workdir=runs/imagenet

If the run is stopped or killed, start it again with the same --workdir: it
continues.

Data: the default is imagenet2012 of tensorflow-datasets, which says where to
put the two archives of ILSVRC 2012. --data also takes any other classification
data set (--data=tfds:imagenette), a folder that holds a folder of images for
each class, a folder that `keras-sagan prepare` wrote, an .npz file, or the
bundled photographs:

    python examples/imagenet128.py --data=photographs --base_channels=8 \
        --batch_size=16 --gradient_accumulation_steps=1 --steps=200 \
        --workdir=runs/photographs
    python examples/imagenet128.py --preset=cifar10_32 --data=tfds:cifar10 \
        --workdir=runs/cifar10

--distribute trains on all devices. With PyTorch, torchrun starts a process for
each of them:

    KERAS_BACKEND=jax python examples/imagenet128.py --distribute
    KERAS_BACKEND=torch torchrun --nproc_per_node=8 \
        examples/imagenet128.py --distribute

The defaults are those of the preset; keras_sagan/models/presets.py gives the
source of every number. --dry_run prints them, builds the networks, reads a
batch and writes it as a picture.

Hardware and hours: a step of 256 images costs 27 TFLOP (counted, forward and
backward of both networks), so 1,000,000 steps cost 2.7e19 FLOP: 8 days on a GPU
that sustains 40 TFLOP/s, or one day on 8 such GPUs. This is an estimate by
`benchmarks/cost.py` (see docs/results.md); no such run was made.
Expected (IS / FID, 50,000 images; published by others, none measured here):
imagenet_128 69.5 / 12.83 (mmgeneration), imagenet_128_released 51.43 / 18.28,
imagenet_128_paper 52.52 / 18.65, imagenet_128_baseline 42.87 / 22.96 (paper);
cifar10_32 FID 9.4 to 10.4 (StudioGAN, mmgeneration).
"""

import json
import pathlib
import sys

import keras
from absl import app
from absl import flags

import keras_sagan
from keras_sagan import callbacks
from keras_sagan import data
from keras_sagan import distribution
from keras_sagan import visualization

FLAGS = flags.FLAGS

# The recipe. None means the value of the preset.
flags.DEFINE_enum(
    "preset", "imagenet_128", keras_sagan.list_presets(), "The recipe."
)
flags.DEFINE_integer("base_channels", None, "Width of the networks.", 1)
flags.DEFINE_multi_integer(
    "attention_resolutions",
    None,
    "Side of the maps with attention; repeat the flag for several.",
    2,
)
flags.DEFINE_integer("batch_size", None, "Number of images per step.", 1)
flags.DEFINE_integer("steps", None, "Number of training steps.", 1)
flags.DEFINE_float("generator_learning_rate", None, "Its learning rate.", 0.0)
flags.DEFINE_float(
    "discriminator_learning_rate", None, "Its learning rate.", 0.0
)
flags.DEFINE_integer(
    "discriminator_steps", None, "Its steps per generator step.", 1
)
flags.DEFINE_integer(
    "gradient_accumulation_steps", None, "Parts that a batch is split into.", 1
)
flags.DEFINE_float(
    "ema_momentum", None, "Momentum of the EMA generator.", 0.0, 1.0
)
flags.DEFINE_integer("ema_start_step", None, "Step at which the EMA starts.", 0)

# The data.
flags.DEFINE_string("data", "tfds:imagenet2012", "The images; see above.")
flags.DEFINE_string("split", "train", "Split of a data set.")
flags.DEFINE_string(
    "data_dir", None, "Folder in which tensorflow-datasets keeps its data sets."
)
flags.DEFINE_enum(
    "augment",
    "none",
    ["none", "flip", "keras", "keras_cv"],
    "Augmentation of the real images, on the host.",
)
flags.DEFINE_list(
    "diff_augment", [], "DiffAugment: some of color,translation,cutout."
)
flags.DEFINE_integer("workers", 4, "Number of threads that read images.", 0, 64)

# The run.
flags.DEFINE_string("workdir", "runs/imagenet128", "Folder of the run.")
flags.DEFINE_integer(
    "seed", 0, "Seed of weights, latents and the order of images.", 0
)
flags.DEFINE_enum(
    "precision",
    "float32",
    ["float32", "mixed_bfloat16", "mixed_float16"],
    "Precision of the convolutions.",
)
flags.DEFINE_integer("log_every", 100, "Steps between lines of the log.", 1)
flags.DEFINE_integer(
    "sample_every",
    None,
    "Steps between sample grids. Default: 100, 200, 400, 800, then every 1000.",
    1,
)
flags.DEFINE_integer("checkpoint_every", 1000, "Steps between checkpoints.", 1)
flags.DEFINE_integer("keep", 3, "Number of checkpoints that are kept.", 1)
flags.DEFINE_integer(
    "max_rollbacks",
    0,
    "How often a run that fails may return to its last checkpoint.",
    0,
)
flags.DEFINE_bool("distribute", False, "Whether to use all devices.")
flags.DEFINE_integer("evaluate_every", None, "Steps between evaluations.", 1)
flags.DEFINE_list("metrics", ["fid", "is"], "Metrics to evaluate.")
flags.DEFINE_integer(
    "evaluate_images", 10_000, "Number of images per evaluation.", 2
)
flags.DEFINE_string(
    "evaluate_against",
    None,
    "A prepared folder, or .npz statistics. Default: the training images.",
)
flags.DEFINE_bool("tensorboard", False, "Whether to log for TensorBoard.")
flags.DEFINE_string("wandb", None, "Project of Weights & Biases to log to.")
flags.DEFINE_bool(
    "dry_run", False, "Whether to only print and check what would be run."
)


def recipe(source):
    """Returns the preset with the values of the flags and the classes."""
    preset = keras_sagan.get_preset(FLAGS.preset)
    names = source.class_names
    for network in ("generator", "discriminator"):
        preset[network]["num_classes"] = None if names is None else len(names)
        for name in ("base_channels", "attention_resolutions"):
            if FLAGS[name].value is not None:
                preset[network][name] = FLAGS[name].value
        rate = FLAGS[f"{network}_learning_rate"].value
        if rate is not None:
            preset[f"{network}_optimizer"]["learning_rate"] = rate
    for name in (
        "discriminator_steps",
        "gradient_accumulation_steps",
        "ema_momentum",
        "ema_start_step",
    ):
        if FLAGS[name].value is not None:
            preset["model"][name] = FLAGS[name].value
    preset["model"]["augmentation"] = FLAGS.diff_augment or None
    for name in ("batch_size", "steps"):
        if FLAGS[name].value is not None:
            preset[name] = FLAGS[name].value
    return preset


def main(_):
    shard = distribution.start().shard if FLAGS.distribute else (0, 1)
    try:
        train(shard)
    except KeyboardInterrupt:
        sys.exit(130)  # The status that shells give after Ctrl-C.
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        if shard[1] > 1:  # The other processes must notice it.
            raise
        sys.exit(f"imagenet128.py: {error}")


def train(shard):
    """Trains as the flags say, on this process' part of each batch."""
    is_first = shard[0] == 0
    resolution = keras_sagan.get_preset(FLAGS.preset)["generator"]["resolution"]
    source = data.open_images(FLAGS.data, FLAGS.split, FLAGS.data_dir)
    source = source.at(resolution)
    preset = recipe(source)
    augment = data.augmentation(FLAGS.augment, FLAGS.seed)

    def make_model():
        keras.utils.set_random_seed(FLAGS.seed)
        return keras_sagan.SAGAN.from_preset(
            preset, FLAGS.precision, seed=FLAGS.seed
        )

    def make_dataset(start_step):
        return data.from_source(
            source,
            preset["batch_size"],
            seed=FLAGS.seed,
            start_step=start_step,
            steps_per_epoch=FLAGS.log_every,
            augment=augment,
            workers=FLAGS.workers,
            shard=shard,
        )

    settings = {
        **{name: preset[name] for name in ("generator", "discriminator")},
        **{name: preset[name] for name in ("model", "batch_size")},
        "optimizers": [
            preset[f"{network}_optimizer"]
            for network in ("generator", "discriminator")
        ],
        **{
            name: FLAGS[name].value
            for name in ("data", "split", "augment", "precision", "seed")
        },
    }
    if FLAGS.dry_run:
        dry_run(settings, preset["steps"], source, make_model(), make_dataset)
        return
    keras_sagan.train(
        FLAGS.workdir,
        make_model,
        make_dataset,
        preset["steps"],
        settings=settings,
        class_names=source.class_names,
        log_every=FLAGS.log_every,
        sample_every=FLAGS.sample_every,
        checkpoint_every=FLAGS.checkpoint_every,
        keep=FLAGS.keep,
        max_rollbacks=FLAGS.max_rollbacks,
        # Every process evaluates a part; only the first one logs.
        callbacks=evaluation(source) + (loggers(settings) if is_first else []),
    )


def evaluation(source):
    """Returns the callback that evaluates, if the flags ask for it."""
    if FLAGS.evaluate_every is None:
        return []
    real = FLAGS.evaluate_against or source
    if real is source and not source.random_access:
        raise app.UsageError(
            "--evaluate_every: a data set of tensorflow-datasets is read in "
            "order, which is too slow to evaluate against. Give a folder that "
            "`keras-sagan prepare` wrote as --evaluate_against"
        )
    workdir = pathlib.Path(FLAGS.workdir)
    return [
        callbacks.Evaluation(
            real,
            FLAGS.evaluate_every,
            FLAGS.metrics,
            path=workdir / "best.keras",
            num_images=FLAGS.evaluate_images,
            cache=workdir / "statistics",
        )
    ]


def loggers(settings):
    """Returns the loggers that the flags ask for."""
    chosen = []
    if FLAGS.tensorboard:
        chosen.append(callbacks.TensorBoardLogger(FLAGS.workdir))
    if FLAGS.wandb:
        # With the same id, a continued run stays one run there.
        name = pathlib.Path(FLAGS.workdir).name
        chosen.append(
            callbacks.WandbLogger(project=FLAGS.wandb, id=name, config=settings)
        )
    return chosen


def dry_run(settings, steps, source, model, make_dataset):
    """Prints what would be run, and checks that it can begin."""
    print(json.dumps(settings, indent=1))
    images, *_ = next(iter(make_dataset(0)))
    path = pathlib.Path(FLAGS.workdir) / "batch.png"
    visualization.image_grid(
        keras.ops.convert_to_numpy(images)[:64], 8, path=path
    )
    print(
        f"{len(source):,} images of {len(source.class_names or ()) or 'no'} "
        f"classes, {steps:,} steps of {settings['batch_size']}, "
        f"{steps * settings['batch_size'] / len(source):,.0f} passes\n"
        f"{model.generator.count_params():,} and "
        f"{model.discriminator.count_params():,} parameters, on "
        f"{keras.backend.backend()}\nA batch of training images: {path}"
    )


if __name__ == "__main__":
    app.run(main)
