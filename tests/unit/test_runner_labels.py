"""What of a person's document may be named in a report."""

from __future__ import annotations

import pytest

from segment_scorer.runner.reporting.labels import COUNTRIES
from segment_scorer.runner.reporting.statistics import Statistics


@pytest.mark.parametrize(
    ("channel", "country", "labels"),
    [
        ("SMS", "de", ("SMS", "DE")),
        ("my secret", "12 Main Street", ("unknown form", "unknown form")),
        (None, "", ("unknown", "unknown")),
        (["SMS"], {"a": 1}, ("unknown form", "unknown form")),
        ("EMAIL", "DEU", ("EMAIL", "DE")),
        ("EMAIL", "bra", ("EMAIL", "BR")),
        ("EMAIL", "Eva", ("EMAIL", "unknown form")),
        ("EMAIL", "Al", ("EMAIL", "AL")),
        ("EMAIL", "ZZ", ("EMAIL", "unknown form")),
        ("EMAIL", "Germany", ("EMAIL", "unknown form")),
        (7, 7, ("unknown form", "unknown form")),
    ],
)
def test_nothing_but_channels_and_country_codes_is_shown(
    channel: object, country: object, labels: tuple[str, str]
) -> None:
    statistics = Statistics()
    statistics.add_people([(channel, country, "", "score", "kept", True)], [0.5])
    (group,) = statistics.people
    assert group[:2] == labels


def test_there_are_249_countries_with_two_codes_each() -> None:
    assert len(COUNTRIES) == 2 * 249
    assert sorted(set(COUNTRIES.values())) == sorted(code for code in COUNTRIES if len(code) == 2)
    assert all(code.isalpha() and code.isupper() and len(code) in {2, 3} for code in COUNTRIES)
    known = {
        "GBR": "GB",
        "DEU": "DE",
        "CHE": "CH",
        "AUT": "AT",
        "IRL": "IE",
        "ESP": "ES",
        "TUR": "TR",
        "ZAF": "ZA",
        "KOR": "KR",
    }
    assert {code: COUNTRIES[code] for code in known} == known
