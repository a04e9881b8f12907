import io
import re

import pytest

from keras_sagan.callbacks import ProgressBar
from tests.conftest import tiny_model


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("kind", [Terminal, io.StringIO])
def test_progress_bar_tells_where_training_is(kind, digits_like):
    stream = kind()
    model = tiny_model()
    model.fit(
        *digits_like,
        batch_size=8,
        epochs=7,
        initial_epoch=2,
        verbose=0,
        callbacks=ProgressBar(stream=stream),
    )
    lines = re.split(r"[\r\n]+", stream.getvalue().strip())
    assert "step 20/20" in lines[-1]
    assert "[########################]" in lines[-1]
    for part in ("D loss", "G loss", "D(real)", "images/s", "0:00 left"):
        assert part in lines[-1], part
    if kind is io.StringIO:
        assert len(lines) == 20


def test_progress_bar_without_a_known_end(digits_like):
    images, labels = digits_like
    stream = Terminal()

    def batches():
        yield images[:8], labels[:8]
        yield images[8:16], labels[8:16]

    tiny_model().fit(
        batches(), verbose=0, callbacks=[ProgressBar(stream=stream)]
    )
    assert "step 2" in stream.getvalue() and "left" not in stream.getvalue()
