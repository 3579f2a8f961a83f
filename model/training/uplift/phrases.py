"""The figures of an uplift model in; sentences for the terminal and for the card, out.

"Per 1,000 people" is the unit of `lift`, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from model.training.phrases import format_money, format_score, format_share

RANDOM = (
    "the 95 % interval of the Qini coefficient holds 0: these scores may choose people no better "
    "than a lot does. Message everybody, nobody, or a random part, until a larger campaign shows "
    "a difference between people"
)
BEHIND = (
    "the 95 % interval of the difference of Qini coefficients holds 0: a response model may choose "
    "people as well as this model"
)


def per_thousand(effect: float) -> str:
    """45.2 more, 3.1 fewer: an effect in responses per 1,000 people."""
    return f"{abs(1000 * effect):.1f} {'fewer' if effect < 0 else 'more'}"


def spread(interval: Sequence[float], *, signed: bool = True) -> str:
    """between 38.2 and 51.6, per 1,000 people."""
    low, high = (1000 * edge for edge in interval)
    return f"{low:+.1f} to {high:+.1f}" if signed else f"{low:.1f} to {high:.1f}"


def describe_doubt(metrics: Mapping[str, Any]) -> list[str]:
    """A sentence if the order of people may be luck, and one if a response model may be as good."""
    low, high = metrics["intervals"]["qini"]
    notices = [RANDOM] if low <= 0 <= high or high < 0 else []
    response = metrics.get("response_model")
    if response is not None and not notices and response["intervals"]["difference"][0] <= 0:
        notices.append(BEHIND)
    return notices


def describe_effect(metrics: Mapping[str, Any]) -> str:
    """What the message changed on average."""
    rates = metrics["rates"]
    return (
        f"{per_thousand(metrics['effect'])} responses per 1,000 people messaged (95 % "
        f"{spread(metrics['intervals']['effect'])}): {format_share(rates['messaged'])} of those "
        f"messaged responded, {format_share(rates['not_messaged'])} of the others"
    )


def describe_qini(metrics: Mapping[str, Any]) -> str:
    """The Qini coefficient with its interval, beside a lot and a response model."""
    text = f"{show(metrics, 'qini')}; by lot 0"
    response = metrics.get("response_model")
    if response is not None:
        low, high = response["intervals"]["difference"]
        text += (
            f"; a response model {response['qini']:.4f} (difference "
            f"{response['difference']:+.4f}, {low:+.4f} to {high:+.4f})"
        )
    return text


def show(metrics: Mapping[str, Any], name: str) -> str:
    """A figure with its interval."""
    low, high = metrics["intervals"][name]
    if metrics[name] is None:
        return "unknown: everybody has the same score"
    return f"{metrics[name]:.4f} ({low:.4f} to {high:.4f})"


def describe_kept(metrics: Mapping[str, Any]) -> str:
    """Whom the threshold keeps, and which part of the extra responses they bring."""
    at = metrics["at_threshold"]
    if not at["reach"]:
        return "keeps no one"
    text = f"keeps {format_share(at['reach'])} of people"
    if at["effect"] is None:
        return text
    text += f"; {per_thousand(at['effect'])} responses per 1,000 of them"
    if metrics["intervals"]["effect"][0] > 0:
        text += f", {format_share(at['gain'] / metrics['effect'])} of all extra responses"
    return text


def describe_put_off(metrics: Mapping[str, Any]) -> str:
    """Whom the message puts off, as far as the campaign can tell."""
    off = metrics["put_off"]
    if not off["people"]:
        return "no one has a score below 0"
    text = f"{off['people']:,} people ({format_share(off['share'])}) have a score below 0"
    if off["interval"] is None:
        return f"{text}: too few to see an effect among them"
    effect = f"{per_thousand(off['effect'])} responses per 1,000 (95 % {spread(off['interval'])})"
    low, high = off["interval"]
    if high < 0:
        return f"{text}, and the message did put them off: {effect}"
    if low > 0:
        return f"{text}, but the message did not put them off: {effect}"
    return f"{text}; whether the message puts them off cannot be told: {effect}"


def describe_profit(profit: Mapping[str, Any], threshold: float) -> str:
    """The profit of the campaign's effect, per 1,000 people."""
    kept, everybody = (
        format_money(profit[name])
        + (
            " ({} to {})".format(*map(format_money, profit[f"{name}_interval"]))
            if f"{name}_interval" in profit
            else ""
        )
        for name in ("kept", "everybody")
    )
    return (
        f"With {profit['value']:g} per response and {profit['cost']:g} per message, the extra "
        f"responses earn {kept} per 1,000 people at the threshold {format_score(threshold)}, and "
        f"{everybody} if everyone is messaged."
    )
