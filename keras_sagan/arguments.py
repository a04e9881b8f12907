"""Checks of arguments: each names the argument, the rule and what came."""

import numbers


def check_integer(name, value, low=None, high=None, optional=False):
    """Raises a `ValueError` unless `value` is an integer in a closed range.

    Args:
        name: Name of the argument.
        value: What came. True and False are no integers.
        low: The least integer that is allowed, or None.
        high: The greatest one, or None.
        optional: Whether None is allowed, too.
    """
    if value is None and optional:
        return
    if (
        isinstance(value, numbers.Integral)
        and not isinstance(value, bool)
        and (low is None or value >= low)
        and (high is None or value <= high)
    ):
        return
    if high is not None:
        rule = f"an integer from {low} to {high}"
    elif low in (0, 1):
        rule = f"a {('non-negative', 'positive')[low]} integer"
    else:
        rule = "an integer" + ("" if low is None else f", at least {low}")
    raise _error(name, rule, value, optional)


def check_number(
    name,
    value,
    low=None,
    high=None,
    low_open=False,
    high_open=False,
):
    """Raises a `ValueError` unless `value` is a real number in a range.

    Args:
        name: Name of the argument.
        value: What came. NaN, True and False are no numbers in a range.
        low: The lower end of the range, or None.
        high: The upper end of the range, or None.
        low_open: Whether `low` itself is out of the range.
        high_open: Whether `high` itself is out of the range.
    """
    if (
        isinstance(value, numbers.Real)
        and not isinstance(value, bool)
        and value == value
        and (low is None or value > low or (value == low and not low_open))
        and (high is None or value < high or (value == high and not high_open))
    ):
        return
    if low is not None and high is not None:
        rule = f"in {'(' if low_open else '['}{low}, {high}"
        rule += ")" if high_open else "]"
    elif low == 0:
        rule = "positive" if low_open else "a non-negative float"
    else:
        rule = "a float" + ("" if low is None else f" of at least {low}")
    raise _error(name, rule, value)


def check_bool(name, value):
    """Raises a `ValueError` unless `value` is True or False."""
    # NumPy's own kind of bool is one, too.
    if type(value).__name__ not in ("bool", "bool_"):
        raise _error(name, "True or False", value)


def check_seed(name, value):
    """Raises a `ValueError` unless `value` can be a seed of NumPy's."""
    for part in value if isinstance(value, (tuple, list)) else [value]:
        check_integer(name, part, 0, optional=True)


def _error(name, rule, value, optional=False):
    rule += " or None" * optional
    shown = repr(value)
    if len(shown) > 80:
        shown = f"{shown[:80]}..., a {type(value).__name__}"
    return ValueError(f"`{name}` must be {rule}. Received: {name}={shown}")
