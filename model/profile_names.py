"""How migrations from Pinpoint name the attributes of a customer profile: a table, read both ways.

Takes flat attributes, gives the groups of an endpoint document; and the other way. Keeps nothing.

Sources: AWS, "Amazon Pinpoint end of support", migration to Amazon Connect Customer Profiles; and
the migration tool of Pronetx, which AWS promotes (AWS Marketplace).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

from model.document_types import KNOWN_FIELDS
from model.values import parse_number, read_texts


class Naming(msgspec.Struct, frozen=True):
    """The names that a migration gives.

    metrics      what the name of `Metrics.X` begins with
    demographic  the same of `Demographic.X`; "": it is called X
    user         the same of `User.UserAttributes.X`; "": it is called as `Attributes.X`
    first        number of the first of several values of an attribute
    numbers_one  whether the only value of an attribute has a number, too
    """

    metrics: str
    demographic: str
    user: str
    first: int
    numbers_one: bool


AWS = Naming("Metrics_", "Demographic_", "", first=1, numbers_one=False)
PRONETX = Naming("Metric_", "", "User_", first=0, numbers_one=True)
NAMINGS: Mapping[str, Naming] = {"aws": AWS, "pronetx": PRONETX}
SETTING = "SCORER_PROFILE_NAMES"
AMBIGUOUS_READ = "they are read as AWS's, with what only Pronetx's reading finds"
AUTO = "auto"  # each profile tells its naming by itself
CHOICES = (AUTO, *NAMINGS)

COORDINATES = ("Latitude", "Longitude")  # flat attributes; in a document they are in Location
GROUPS = ("Attributes", "UserAttributes", "Metrics", "Demographic", "Location")
DEMOGRAPHIC = KNOWN_FIELDS["Demographic"]
SIGNS_OF_AWS = (AWS.metrics, AWS.demographic)
FIRST_OF_PRONETX = f"_{PRONETX.first}"
# In nearly every profile that AWS's migration made, one look at all names is enough.
SEAM = "\n"
SIGNS_OF_PRONETX = (f"{SEAM}{PRONETX.metrics}", f"{FIRST_OF_PRONETX}{SEAM}")
MOST_DIGITS = 3  # of the number behind an attribute's name
Groups: TypeAlias = dict[str, dict[str, Any]]


def split_attributes(flat: Mapping[str, Any], naming: Naming | None) -> tuple[Groups, bool]:
    """Sort flat attributes into the groups of a document, and join numbered ones.

    naming  None: the names tell it
    Also says whether the names are of both migrations, or of either. Such attributes are read as
    AWS's, and then every field that only the other reading has is added: nothing is lost.
    """
    if naming is not None:
        return read_groups(flat, naming), False
    naming, ambiguous = recognise(flat)
    groups = read_groups(flat, naming)
    if naming is AWS and (ambiguous or not DEMOGRAPHIC.isdisjoint(flat)):
        other = read_groups(flat, PRONETX, marked_only=True)
        groups = {group: other[group] | fields for group, fields in groups.items()}
    return groups, ambiguous


def recognise(flat: Mapping[str, Any]) -> tuple[Naming, bool]:
    """The naming that the names show, and whether the other one is as likely.

    Names that no migration marks are the same in both, but for those of `Demographic`.
    """
    text = f"{SEAM}{SEAM.join(flat)}{SEAM}"
    if SIGNS_OF_PRONETX[0] not in text and SIGNS_OF_PRONETX[1] not in text:
        return AWS, False
    of_aws = of_pronetx = numbered = False
    for name in flat:
        if name.startswith(SIGNS_OF_AWS):
            of_aws = True
        elif name.startswith(PRONETX.metrics):
            of_pronetx = True
        elif name.endswith(FIRST_OF_PRONETX):
            numbered = True
            of_pronetx = of_pronetx or name.startswith(PRONETX.user)
    if not (of_pronetx or numbered):
        return AWS, False
    if of_aws:
        return AWS, True
    if not of_pronetx and not all(is_of_pronetx(name) for name in flat):
        return AWS, True  # X_0 may be a name that nobody's migration made
    return PRONETX, False


def explain_ambiguous(count: int, profiles: int) -> list[str]:
    """A sentence if so many of these profiles have names of both migrations, or of either."""
    if not count:
        return []
    sentence = (
        f"{count:,} of {profiles:,} customer profiles have attributes that two migrations from "
        f"Pinpoint could have named; {AMBIGUOUS_READ}. Set {SETTING} to aws or pronetx"
    )
    return [sentence]


def is_of_pronetx(name: str) -> bool:
    """Whether Pronetx's migration may have written an attribute of this name."""
    return name in DEMOGRAPHIC or name in COORDINATES or read_number_behind(name) is not None


def read_groups(flat: Mapping[str, Any], naming: Naming, *, marked_only: bool = False) -> Groups:
    """Read attributes that are named so.

    An attribute that could be of the endpoint or of the user is put under both.
    marked_only  leave out attributes that only have a name of their own
    """
    groups: Groups = {name: {} for name in GROUPS}
    others: dict[str, Any] = {}
    metric, device, metrics = naming.metrics, naming.demographic, groups["Metrics"]
    behind = len(metric)
    for name, value in flat.items():
        if name.startswith(metric):  # most names: no call but one
            number = parse_number(value) if type(value) is str else None
            metrics[name[behind:]] = value if number is None else number
        elif name.startswith(device) if device else name in DEMOGRAPHIC:
            groups["Demographic"][name.removeprefix(device)] = value
        elif name in COORDINATES:
            groups["Location"][name] = read_number(value)
        else:
            is_one = type(value) is str or not isinstance(value, list | Mapping)
            others[name] = [value] if is_one else value
    joined = join_numbered(others, naming)
    plain = {} if marked_only else others
    groups["Attributes"], groups["UserAttributes"] = dict(plain), dict(plain)
    for name, values in joined.items():
        if not (naming.user and name.startswith(naming.user)):
            groups["Attributes"][name] = values
        if name.startswith(naming.user):
            groups["UserAttributes"][name.removeprefix(naming.user)] = values
    return groups


def join_numbered(attributes: dict[str, Any], naming: Naming) -> dict[str, list[Any]]:
    """Take numbered attributes out of `attributes`, and join each series of them to one.

    Numbers count from the first without a gap, and there is no attribute without a number. One
    value alone is a series only if the migration numbers it.
    """
    series: dict[str, dict[int, str]] = {}
    for name in attributes:
        numbered = read_number_behind(name) if name[-1:].isdecimal() else None
        if numbered and numbered[1] >= naming.first and numbered[0] not in attributes:
            series.setdefault(numbered[0], {})[numbered[1]] = name
    joined: dict[str, list[Any]] = {}
    for name, numbers in series.items():
        expected = range(naming.first, naming.first + len(numbers))
        if numbers.keys() == set(expected) and (naming.numbers_one or len(numbers) > 1):
            values = [attributes.pop(numbers[number]) for number in expected]
            joined[name] = [
                item for value in values for item in (value if isinstance(value, list) else [value])
            ]
    return joined


def read_number_behind(name: str) -> tuple[str, int] | None:
    """`X_12` is the attribute X and the number 12. None for a name without a number."""
    base, line, digits = name.rpartition("_")
    is_number = 0 < len(digits) <= MOST_DIGITS and digits.isascii() and digits.isdecimal()
    if not base or not line or not is_number or (digits[0] == "0" and digits != "0"):
        return None
    return base, int(digits)


def flatten_groups(document: Mapping[str, Any], naming: Naming) -> dict[str, str]:
    """The flat attributes that a migration makes of a document. All values become text.

    If both are named alike, `Attributes.X` wins over `User.UserAttributes.X`. A group that is not
    an object is left out.
    """
    user, location = read_mapping(document.get("User")), read_mapping(document.get("Location"))
    texts = {
        f"{naming.user}{name}": read_texts(value)
        for name, value in read_mapping(user.get("UserAttributes")).items()
    }
    texts |= {
        name: read_texts(value) for name, value in read_mapping(document.get("Attributes")).items()
    }
    flat = flatten_texts(texts, naming)
    for name, value in present(document.get("Metrics")):
        flat[f"{naming.metrics}{name}"] = write_number(value)
    for name, value in present(document.get("Demographic")):
        flat[f"{naming.demographic}{name}"] = str(value)
    for name in COORDINATES:
        if location.get(name) is not None:
            flat[name] = write_number(location[name])
    return flat


def flatten_texts(attributes: Mapping[str, Sequence[str]], naming: Naming = AWS) -> dict[str, str]:
    """Give each text of an attribute a name of its own: X, or X_1, X_2 ...; or X_0, X_1 ..."""
    flat: dict[str, str] = {}
    for name, texts in attributes.items():
        if len(texts) == 1 and not naming.numbers_one:
            flat[name] = texts[0]
        else:
            flat |= {f"{name}_{number}": text for number, text in enumerate(texts, naming.first)}
    return flat


def present(group: Any) -> Iterable[tuple[str, Any]]:
    """The fields of a group that have a value; none if it is not an object."""
    return ((name, value) for name, value in read_mapping(group).items() if value is not None)


def read_mapping(value: Any) -> Mapping[str, Any]:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def read_number(value: Any) -> Any:
    """A number that is written as text; other values as they are, for the document's check."""
    number = parse_number(value) if isinstance(value, str) else None
    return value if number is None else number


def write_number(value: Any) -> str:
    """A number as text that reads as the same number, whole ones without a point."""
    is_whole = isinstance(value, float) and value.is_integer() and abs(value) < 1e15
    return str(int(value)) if is_whole else str(value)
