"""Every error `model` raises on purpose. A message says what was expected and where, never a value, an id or an address.

SegmentScorerError          anything this project raises on purpose
├── SpecError               whoever wrote the feature spec must act
├── BundleError             whoever ships the bundle must act
└── DataError               whoever supplies people or outcomes must act
"""


class SegmentScorerError(Exception):
    """Anything this project raises on purpose; its message is one sentence for the person who must act."""


class SpecError(SegmentScorerError):
    """The feature spec cannot be used; one sentence a problem."""


class BundleError(SegmentScorerError):
    """The bundle is missing, damaged, or does not fit this code."""


class DataError(SegmentScorerError):
    """The people or outcomes given cannot be used."""


def name_kind(value: object) -> str:
    """The kind of a JSON or TOML value, for "found ..." in an error: `text`, `a number`, `a list`."""
    return KINDS.get(type(value), "another type")


def name_failure(error: OSError) -> str:
    """The system's own reason, for "found ..." in an error: `permission denied`, `is a directory`."""
    return (error.strerror or "an error without a reason").lower()


KINDS = {
    type(None): "null",
    bool: "true or false",
    int: "a number",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "an object",
}
