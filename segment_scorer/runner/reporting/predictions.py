"""The words for what scores predict: responses, or what messages bring.

Input: the run's configuration and sums of scores. Output: names and sentences. Only an uplift score
is ever called what a message brings.
"""

from __future__ import annotations

from typing import NamedTuple

from segment_scorer.runner.config import RunConfig
from segment_scorer.runner.reporting.statistics import BUCKETS, Statistics


class Wording(NamedTuple):
    """The report's words for one kind of scores and one side of the threshold.

    events   what a sum of scores counts
    avoided  the same, of the people who are not messaged
    profit   what events times value, less the cost of messages, is called
    """

    events: str
    avoided: str
    profit: str


RESPONSES = Wording("responses", "", "profit at most")
UNWANTED = Wording("unwanted events", "unwanted events avoided at most", "")
EXTRA = Wording("extra responses", "", "profit expected")
EXTRA_UNWANTED = Wording("extra unwanted events", "extra unwanted events avoided", "")


def choose_wording(config: RunConfig) -> Wording:
    """The words that are true of this run's scores."""
    if config.score.is_uplift:
        return EXTRA_UNWANTED if config.keep == "below" else EXTRA
    return UNWANTED if config.keep == "below" else RESPONSES


def describe_expected(kept: float, everyone: float, scored: int, config: RunConfig) -> str:
    """Say what the scores predict. "" without scores, or if only some are known.

    kept, everyone  the sum of scores of the kept people, and of all people
    scored          people with a score
    """
    if not config.knows_decisions or not scored:
        return ""
    if config.score.is_uplift:
        return describe_extra(kept, everyone, config)
    if round(everyone) == 0:
        return ""
    if config.keep == "below":
        return (
            f"If the scores are calibrated, {everyone:,.0f} unwanted events are expected of all "
            f"people with a score: {kept:,.0f} of those messaged, "
            f"and at most {round(everyone) - round(kept):,} are avoided."
        )
    return (
        f"If the scores are calibrated, {everyone:,.0f} responses are expected of all people with "
        f"a score, {kept:,.0f} of them from those messaged. Scores say who is likely to respond, "
        "messaged or not: only a control group shows what the message changes."
    )


def describe_extra(kept: float, everyone: float, config: RunConfig) -> str:
    """Say what messages bring by uplift scores."""
    events = choose_wording(config).events
    return (
        f"If the scores are calibrated, the messages sent bring {kept:z,.0f} {events}; messages to "
        f"everybody with a score would bring {everyone:z,.0f}. Scores are effects that a model "
        "estimates: only a control group shows what the message changes."
    )


def describe_savings(statistics: Statistics, config: RunConfig) -> str:
    """Say how many messages fewer bring the same extra responses as messaging everybody.

    Of the people decided by their score, the ones with the highest scores first. "" unless the
    scores of all of them are known and are effects.
    """
    if not config.in_process or not config.score.is_uplift or config.keep == "below":
        return ""
    # Whole numbers, so that sums are exact: a bucket's middle is at an odd half of a bucket.
    middle = round(2 * middle_of_bucket(config))
    steps = [
        (count, 2 * bucket + middle)
        for bucket, count in sorted(statistics.scores.items(), reverse=True)
    ]
    people, total = sum(count for count, _ in steps), sum(count * each for count, each in steps)
    if round(total / (2 * BUCKETS)) <= 0:
        return "Messaging everybody would bring no extra responses." if people else ""
    needed, missing = 0, total
    for count, each in steps:
        if count * each >= missing:
            needed += -(-missing // each)  # of the last bucket only as many as are needed
            break
        needed, missing = needed + count, missing - count * each
    fewer = people - needed
    if fewer <= 0:
        return ""
    return (
        f"By these scores, the {needed:,} people with the highest scores bring as many extra "
        f"responses as all {people:,} who are decided by score: {fewer:,} messages fewer "
        f"({100 * fewer / people:.1f} %). This holds only if the message puts off people with a "
        "score below 0 as much as they say. The model card has the effect that was observed among "
        "such people."
    )


def middle_of_bucket(config: RunConfig) -> float:
    """Where a score is in its bucket, on average, from 0 to 1."""
    return 0.5 if 10**config.decimals > BUCKETS else 0.0
