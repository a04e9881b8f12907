"""`python -m keras_sagan VERB` is `keras-sagan VERB`."""

import sys

from keras_sagan.cli import main

if __name__ == "__main__":
    sys.exit(main())
