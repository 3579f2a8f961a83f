"""Every error that `model` raises on purpose, and the words of "found ..." in a message.

A message says what was expected, where, and what was found. It never holds a value, an id or an
address.

SegmentScorerError          anything this project raises on purpose
├── SpecError               the author of the feature spec must act
├── BundleError             the person who ships the bundle must act
└── DataError               the person who supplies people or outcomes must act
"""

import errno


class SegmentScorerError(Exception):
    """Any error that this project raises on purpose, written for the person who must act."""


class SpecError(SegmentScorerError):
    """The feature spec cannot be used; one sentence per problem."""


class BundleError(SegmentScorerError):
    """The bundle is missing, damaged, or does not fit this code."""


class DataError(SegmentScorerError):
    """The people or outcomes given cannot be used."""


def name_kind(value: object) -> str:
    """The kind of a JSON or TOML value, for "found ..." in an error: `text`, `a number` ..."""
    return VALUE_KINDS.get(type(value), "another type")


def name_failure(error: OSError) -> str:
    """The system's reason, for "found ..." in an error: `a directory`, `permission denied`."""
    if error.errno == errno.EISDIR:
        return "a directory"
    return (error.strerror or "an error without a reason").lower()


VALUE_KINDS = {
    type(None): "null",
    bool: "true or false",
    int: "a number",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "an object",
}
