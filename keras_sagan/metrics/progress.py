"""Shows the progress of long computations."""

import sys
import time

from keras_sagan import backends


def progress(items, title, size=None, stream=None):
    """Yields the items, and shows on a terminal how many are done.

    If the output is not a terminal, computations of more than half a minute
    write a line after each tenth. If there are several processes, only the
    first one writes.

    Args:
        items: Iterable.
        title: String.
        size: Number of items, if `items` has no length.
        stream: Where to write. Defaults to standard error.
    """
    if backends.process()[0]:
        yield from items
        return
    stream = stream or sys.stderr
    size = len(items) if size is None else size
    start = time.perf_counter()
    shown, tenth = 0.0, 0
    for done, item in enumerate(items):
        now = time.perf_counter()
        if done and stream.isatty() and now - shown > 0.2:
            shown = now
            stream.write(f"\r{_line(title, done, size, now - start)}\x1b[K")
            stream.flush()
        elif done * 10 // size > tenth and not stream.isatty():
            tenth = done * 10 // size
            if now - start > 30:
                stream.write(_line(title, done, size, now - start) + "\n")
                stream.flush()
        yield item
    if shown:
        stream.write("\r\x1b[K")
        stream.flush()


def _line(title, done, size, seconds):
    left = round(seconds / done * (size - done))
    return f"{title}: {done:,} of {size:,}, {left // 60}:{left % 60:02d} left"
