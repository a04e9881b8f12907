"""A film of a training run, from the grids that it saved.

keras-sagan film FOLDER --out=training.webp

FOLDER holds what `keras_sagan.callbacks.SampleGrid` wrote: step_00001000.png
and so on.
"""

from absl import flags

from keras_sagan.cli.parsing import parse


def main(arguments):
    values = flags.FlagValues()
    flags.DEFINE_string(
        "out",
        "training.webp",
        "Film to write: .gif, .webp or .apng.",
        flag_values=values,
    )
    flags.DEFINE_float(
        "rate",
        5.0,
        "Grids per second.",
        lower_bound=0.1,
        upper_bound=50.0,
        flag_values=values,
    )
    (name,) = parse(values, __doc__, arguments, ["FOLDER"])
    from keras_sagan import visualization

    steps = visualization.training_film(name, values.out, values.rate)
    print(
        f"Wrote {values.out}: {len(steps)} grids, steps {steps[0]:,} to "
        f"{steps[-1]:,}"
    )
