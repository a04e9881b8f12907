"""Keeps TensorFlow's notes from being printed before everything else.

    python keras_sagan/quiet.py SCRIPT ARGUMENT...

TensorFlow writes notes about oneDNN and CUDA to the standard error when it is
imported, whatever TF_CPP_MIN_LOG_LEVEL says: its C++ library does so before
it has set up its log. Warnings and errors are still shown.
"""

import contextlib
import importlib
import importlib.util
import os
import re
import runpy
import sys
import tempfile

# How the notes begin. In TensorFlow's log, I stands for information. The last
# one says that there is no driver and so no GPU, which is not an error.
_NOTE = re.compile(
    rb"I\d{4} |WARNING: All log messages before absl::Init"
    rb"|E\d{4} .*failed call to cuInit: .*UNKNOWN ERROR \(303\)"
)


@contextlib.contextmanager
def quiet():
    """Drops the notes that are written to the standard error inside a block.

    All other lines are shown at the end of the block.
    """
    # This is for the notes that follow once TensorFlow's log is set up.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    try:
        ours = sys.stderr.fileno()
    except (AttributeError, OSError, ValueError):  # A notebook, or a test.
        yield
        return
    sys.stderr.flush()
    before = os.dup(ours)
    with tempfile.TemporaryFile() as kept:
        os.dup2(kept.fileno(), ours)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(before, ours)
            os.close(before)
            kept.seek(0)
            rest = [line for line in kept if not _NOTE.match(line)]
            os.write(ours, b"".join(rest))


def import_quietly():
    """Imports Keras, and TensorFlow where it is installed.

    On every backend, Keras imports TensorFlow when it serializes or copies a
    layer (`serialize_keras_object`, 3.15.1).
    """
    with quiet():
        try:
            import keras
        except ModuleNotFoundError:
            return  # `keras_sagan.backends` says what to install.
        if importlib.util.find_spec("tensorflow"):
            tensorflow = importlib.import_module("tensorflow")
            if keras.backend.backend() == "tensorflow":
                # Otherwise TensorFlow prints later which devices are missing.
                tensorflow.config.list_physical_devices()


if __name__ == "__main__":
    del sys.argv[0]
    sys.path[0] = os.path.dirname(sys.argv[0])
    import_quietly()
    runpy.run_path(sys.argv[0], run_name="__main__")
