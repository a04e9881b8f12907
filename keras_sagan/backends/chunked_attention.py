"""How large a part of the attention scores is held at once."""

MAX_SCORES = 2**23  # scores of an image: the released form's up to 64x64
CHUNK_SCORES = 2**21


def number_of_chunks(queries, keys):
    """Returns into how many equal blocks the queries of an image are cut.

    One while all scores are small. Both counts are squares of a map's side,
    or at least divisible by many powers of two: where no equal cut is small
    enough, the finest is taken.
    """
    blocks = 1
    if queries * keys > MAX_SCORES:
        while (
            queries % (2 * blocks) == 0
            and queries * keys > CHUNK_SCORES * blocks
        ):
            blocks *= 2
    return blocks
