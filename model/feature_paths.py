"""The paths below an endpoint document that a feature may read."""

from __future__ import annotations

GROUPS = {
    "Attributes", "Metrics", "Demographic", "Location", "User", "Profile", "Calculated", "External",
}  # fmt: skip
TOP_LEVEL = {"ChannelType", "EndpointStatus", "OptOut", "EffectiveDate", "CreationDate", "CohortId"}
COORDINATES = frozenset({"Location.Latitude", "Location.Longitude"})
USER_FIELDS = ("UserId", "UserAttributes.")


def split_path(path: str) -> tuple[str, ...]:
    """The steps of a path. A name may hold dots: `Attributes.a.b` is the attribute `a.b`."""
    if path.startswith("User.UserAttributes."):
        return ("User", "UserAttributes", path.removeprefix("User.UserAttributes."))
    return tuple(path.split(".", 1))


def is_number_path(path: str) -> bool:
    """Whether the documented type at a path is a number. All others are texts or attributes."""
    return path.startswith("Metrics.") or path in COORDINATES


def find_path_problem(path: str, name: str = "path") -> str | None:
    """Why the path of the key `name` cannot be read; None if it can."""
    group, _, rest = path.partition(".")
    is_below = group in GROUPS and rest and (group != "User" or rest.startswith(USER_FIELDS))
    if path in TOP_LEVEL or is_below:
        return None
    return f"expected {name} to be {READABLE}"


def read_path(value: object) -> str:
    """An option that is a path. Raises ValueError saying what was expected."""
    if not isinstance(value, str) or find_path_problem(value) is not None:
        raise ValueError(READABLE)
    return value


READABLE = f"one of {', '.join(sorted(TOP_LEVEL))}, or below {', '.join(sorted(GROUPS))}"
