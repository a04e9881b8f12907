"""The size of the part of the attention scores that is held at once."""

MAX_SCORES = 2**23  # Per image; enough for the released form up to 64x64.
CHUNK_SCORES = 2**21


def number_of_chunks(queries, keys):
    """Returns the number of equal blocks of the queries of an image.

    It is one for up to `MAX_SCORES` scores. Both counts are squares of the
    side of a map, or at least divisible by many powers of two. If no number
    makes the blocks small enough, the largest possible number is used.
    """
    blocks = 1
    if queries * keys > MAX_SCORES:
        while (
            queries % (2 * blocks) == 0
            and queries * keys > CHUNK_SCORES * blocks
        ):
            blocks *= 2
    return blocks
