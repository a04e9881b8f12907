"""Checks of arguments; the errors name the argument, the rule and the value."""

import numbers
import os
import pathlib

# The largest integer in the frameworks. No count or seed is as large.
_MOST = 2**63 - 1
# What networks can compute in.
PRECISIONS = "float32", "mixed_bfloat16", "mixed_float16"


def check_integer(name, value, low=None, high=None, optional=False):
    """Raises a `ValueError` unless `value` is an integer in a closed range.

    Args:
        name: Name of the argument.
        value: Value of the argument. True and False are not integers here.
        low: The least integer that is allowed, or None.
        high: The greatest integer that is allowed, or None.
        optional: Whether None is allowed, too.
    """
    if value is None and optional:
        return
    if (
        isinstance(value, numbers.Integral)
        and not isinstance(value, bool)
        and (low is None or value >= low)
        and value <= (_MOST if high is None else high)
    ):
        return
    if high is not None:
        rule = f"an integer from {low} to {high}"
    elif low in (0, 1):
        rule = f"a {('non-negative', 'positive')[low]} integer"
    else:
        rule = "an integer" + ("" if low is None else f", at least {low}")
    raise _error(name, rule, value, optional)


def plain_integer(value):
    """Returns an integer of NumPy as Python's, which Keras asks for."""
    return value if value is None else int(value)


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
        value: Value of the argument. NaN, infinity, True and False are not
            numbers here.
        low: The lower end of the range, or None.
        high: The upper end of the range, or None.
        low_open: Whether `low` itself is outside the range.
        high_open: Whether `high` itself is outside the range.
    """
    if (
        isinstance(value, numbers.Real)
        and not isinstance(value, bool)
        and abs(value) <= _MOST
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
    # NumPy's bool is allowed, too.
    if type(value).__name__ not in ("bool", "bool_"):
        raise _error(name, "True or False", value)


def check_seed(name, value):
    """Raises a `ValueError` unless `value` is a seed for NumPy, or None."""
    if value is None:
        return
    for part in value if isinstance(value, (tuple, list)) else [value]:
        check_integer(name, part, 0)


def check_path(name, value, optional=False):
    """Returns a path as a `pathlib.Path`; None stays None.

    Raises:
        ValueError: If `value` is not a string or path, or is empty. None is
            allowed with `optional=True`.
    """
    if value is None and optional:
        return None
    if not isinstance(value, (str, os.PathLike)) or not str(value):
        raise _error(name, "a path", value, optional)
    return pathlib.Path(value)


def check_callable(name, value, optional=False):
    """Raises a `ValueError` unless `value` can be called."""
    if not callable(value) and not (optional and value is None):
        raise _error(name, "a function or another callable", value, optional)


def check_choice(name, value, choices):
    """Raises a `ValueError` unless `value` is one of `choices`."""
    if not isinstance(value, (str, type(None))) or value not in choices:
        shown = ", ".join(map(repr, choices))
        raise _error(name, f"one of {shown}", value)


def check_strings(name, value, optional=False):
    """Raises a `ValueError` unless `value` is like a list of strings."""
    if value is None and optional:
        return
    is_list = hasattr(value, "__len__") and hasattr(value, "__iter__")
    if (
        not is_list
        or isinstance(value, (str, bytes))
        or not all(isinstance(x, str) for x in value)
    ):
        raise _error(name, "a list of strings", value, optional)


def check_class_names(class_names, num_classes):
    """Returns the names of a model's classes as a list, or None.

    Args:
        class_names: Strings, one for each class, or None.
        num_classes: Integer, or None if the model has no classes.

    Raises:
        ValueError: If there is another number of names.
    """
    if class_names is None:
        return None
    check_strings("class_names", class_names)
    if len(class_names) != (num_classes or 0):
        raise ValueError(
            f"`class_names` must be {num_classes or 0} names, one for each "
            f"class of the model. Received: {len(class_names)} names, "
            f"class_names={str(list(class_names))[:100]}"
        )
    return list(class_names)


def check_has(name, value, kind, *attributes):
    """Raises a `ValueError` unless `value` has the attributes of its kind.

    Args:
        name: Name of the argument.
        value: Value of the argument.
        kind: What the value must be, such as "a `SAGAN`".
        *attributes: Names of attributes that only this kind of object has.
    """
    if isinstance(value, type) or not all(
        hasattr(value, x) for x in attributes
    ):
        raise _error(name, kind, value)


def check_numbers(name, value):
    """Raises a `ValueError` unless `value` is an array of numbers."""
    import numpy as np  # The command line's `--help` does not need it.

    try:
        kind = np.asarray(value).dtype.kind
    except (TypeError, ValueError):  # Rows of different lengths.
        kind = "O"
    if kind not in "iuf":
        raise _error(name, "an array of numbers", value)


def _error(name, rule, value, optional=False):
    rule += " or None" * optional
    shown = repr(value)
    if len(shown) > 80:
        shown = f"{shown[:80]}..., a {type(value).__name__}"
    return ValueError(f"`{name}` must be {rule}. Received: {name}={shown}")
