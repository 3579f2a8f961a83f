"""Effects of people of a campaign in; figures with 95 % intervals, and the tables of a card, out.

Every effect in here is observed: the response rate of people messaged minus that of the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from model.training.measures import COVERED, resample_weights
from model.training.uplift.campaign import UpliftPeople
from model.training.uplift.measures import SHARES, Curve, Uplift

Floats = npt.NDArray[np.float64]

DECILES = 10
GRID = np.linspace(0.05, 1.0, 20)  # shares of people at which a manifest has the curve
AT_SHARES = tuple(f"uplift_{round(100 * share)}" for share in SHARES)
FIGURES = ("qini", *AT_SHARES, "effect", "calibration_slope")
LEAST_PUT_OFF = 50  # people in either group; the effect among fewer is not told


class Judge:
    """Effects that people were given, and what happened to these people."""

    def __init__(
        self, effects: Floats, campaign: UpliftPeople, threshold: float, responses: Floats | None
    ) -> None:
        """`responses`: the scores of a response model to compare with."""
        self.effects, self.campaign, self.threshold = effects, campaign, threshold
        self.uplift = Uplift(effects, campaign)
        self.response = None if responses is None else Uplift(responses, campaign)
        self.deciles = np.empty(len(effects), dtype=np.int64)
        for number, part in enumerate(np.array_split(self.uplift.order, DECILES)):
            self.deciles[part] = number
        self.kept, self.below = effects >= threshold, effects < 0

    def measure(self, weights: Floats | None = None) -> dict[str, Floats]:
        """Every figure, as an array, where person i counts `weights[i]` times."""
        each = np.ones(len(self.effects)) if weights is None else weights
        figures, curve = self.uplift.measure(weights)
        kept = self._effect_of(self.kept, each)
        reach = float(each[self.kept].sum() / each.sum())
        everybody = self._effect_of(np.ones_like(self.kept), each)
        measured = {
            "figures": np.array([*figures, everybody, self._find_slope(each)]),
            "deciles": self._effects_by(self.deciles, DECILES, each),
            "kept": np.array([kept, reach * kept if reach else 0.0]),
            "put_off": np.array([self._effect_of(self.below, each)]),
            "curve": read_curve(curve),
        }
        if self.response is not None:
            qini = float(self.response.measure(weights)[0][0])
            measured["response"] = np.array([qini, float(figures[0]) - qini])
        return measured

    def bootstrap(self, seed: int) -> dict[str, Floats]:
        """The lower and the upper edge of each figure: float64 [2, ...]. Users are drawn."""
        drawn: dict[str, list[Floats]] = {}
        for weights in resample_weights(self.campaign.groups, seed):
            for name, values in self.measure(weights).items():
                drawn.setdefault(name, []).append(values)
        edges = [(1 - COVERED) / 2, (1 + COVERED) / 2]
        return {name: find_edges(np.array(values), edges) for name, values in drawn.items()}

    def _effects_by(self, numbers: npt.NDArray[np.int64], count: int, each: Floats) -> Floats:
        """The effect in each of `count` groups, float64 [count]; NaN without one of the sides."""
        rates = []
        for side in (1, 0):
            people = each * (self.campaign.treated == side)
            ones = np.bincount(numbers, people * self.campaign.outcomes, minlength=count)[:count]
            all_ = np.bincount(numbers, people, minlength=count)[:count]
            rates.append(np.divide(ones, all_, out=np.full(count, np.nan), where=all_ > 0))
        effects: Floats = rates[0] - rates[1]
        return effects

    def _effect_of(self, rows: npt.NDArray[np.bool_], each: Floats) -> float:
        return float(self._effects_by(np.where(rows, 0, 1), 2, each)[0])

    def _find_slope(self, each: Floats) -> float:
        """By how much the observed effect rises when the score rises by 1; 1 is perfect.

        The slope of a regression of weighted outcomes on scores. NaN if all scores are the same.
        """
        weights = each / each.sum()
        scores = self.effects - float(weights @ self.effects)
        spread = float(weights @ scores**2)
        if spread < 1e-14:  # the scores of a model that found no difference between people
            return float("nan")
        return float(weights @ (scores * self.campaign.weighted)) / spread


def find_edges(drawn: Floats, edges: Sequence[float]) -> Floats:
    """Quantiles of each column of `drawn`; 0 for a column that could never be computed."""
    never = np.isnan(drawn).all(axis=0)
    found: Floats = np.nanquantile(np.where(never, 0.0, drawn), edges, axis=0)
    return found


def read_curve(curve: Curve) -> Floats:
    """The extra responses per person at each share of `GRID`."""
    gains: Floats = np.interp(GRID, curve.shares, curve.gains)
    return gains


def judge_effects(
    effects: Floats,
    campaign: UpliftPeople,
    threshold: float,
    seed: int,
    *,
    responses: Floats | None = None,
    money: tuple[float, float] | None = None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The manifest's `metrics` and `evaluation`: figures, and the tables behind the pictures."""
    judge = Judge(effects, campaign, threshold, responses)
    found, edges = judge.measure(), judge.bootstrap(seed)
    treated = campaign.treated == 1
    metrics: dict[str, Any] = {
        **name_all(found["figures"]),
        "n": len(effects),
        "users": int(campaign.groups.max()) + 1,
        "base_rate": shorten(campaign.outcomes.mean()),
        "rates": {
            "messaged": shorten(campaign.outcomes[treated].mean()),
            "not_messaged": shorten(campaign.outcomes[~treated].mean()),
        },
        "treated": {"share": shorten(treated.mean()), "used": shorten(campaign.share)},
        "intervals": {
            name: [shorten(edge) for edge in pair]
            for name, pair in zip(FIGURES, edges["figures"].T, strict=True)
        },
        "at_threshold": describe_kept(judge, found, edges),
        "put_off": describe_put_off(judge, found, edges),
    }
    if responses is not None:
        metrics["response_model"] = {
            "qini": shorten(found["response"][0]),
            "difference": shorten(found["response"][1]),
            "intervals": {
                "qini": [shorten(edge) for edge in edges["response"][:, 0]],
                "difference": [shorten(edge) for edge in edges["response"][:, 1]],
            },
        }
    evaluation = {
        "deciles": tabulate_deciles(judge, found, edges),
        "curve": tabulate_curve(judge, found, edges),
        "profit": describe_profit(metrics, money),
    }
    return metrics, evaluation


def name_all(figures: Floats) -> dict[str, float | None]:
    """Each of `FIGURES` with its name; None where it cannot be computed."""
    return {
        name: None if np.isnan(value) else shorten(value)
        for name, value in zip(FIGURES, figures.tolist(), strict=True)
    }


def describe_kept(
    judge: Judge, found: dict[str, Floats], edges: dict[str, Floats]
) -> dict[str, Any]:
    """Whom the threshold keeps, and what messaging them alone brings per person of all."""
    reach = float(judge.kept.mean())
    if not reach > 0:
        return {"reach": 0.0, "effect": None, "gain": 0.0, "intervals": {}}
    effect, gain = found["kept"].tolist()
    return {
        "reach": shorten(reach),
        "effect": None if np.isnan(effect) else shorten(effect),
        "gain": 0.0 if np.isnan(gain) else shorten(gain),
        "intervals": {
            name: [shorten(edge) for edge in edges["kept"][:, at]]
            for at, name in enumerate(("effect", "gain"))
        },
    }


def describe_put_off(
    judge: Judge, found: dict[str, Floats], edges: dict[str, Floats]
) -> dict[str, Any]:
    """People with a score below 0: how many, and the effect observed among them."""
    below, treated = judge.below, judge.campaign.treated == 1
    people = int(below.sum())
    told = min(int((below & treated).sum()), int((below & ~treated).sum())) >= LEAST_PUT_OFF
    return {
        "people": people,
        "share": shorten(below.mean()),
        "score": shorten(judge.effects[below].mean()) if people else None,
        "effect": shorten(found["put_off"][0]) if told else None,
        "interval": [shorten(edge) for edge in edges["put_off"][:, 0]] if told else None,
    }


def tabulate_deciles(
    judge: Judge, found: dict[str, Floats], edges: dict[str, Floats]
) -> list[dict[str, Any]]:
    """Ten deciles of people, the highest scores first: mean score and observed effect."""
    rows = []
    for number, effect in enumerate(found["deciles"].tolist()):
        part = judge.deciles == number
        rows.append(
            {
                "decile": number + 1,
                "people": int(part.sum()),
                "messaged": int(judge.campaign.treated[part].sum()),
                "score": shorten(judge.effects[part].mean()),
                "effect": None if np.isnan(effect) else shorten(effect),
                "interval": [shorten(edge) for edge in edges["deciles"][:, number]],
            }
        )
    return rows


def tabulate_curve(
    judge: Judge, found: dict[str, Floats], edges: dict[str, Floats]
) -> list[dict[str, float]]:
    """The Qini curve at twenty shares of people, and that of the response model if there is one."""
    response = None if judge.response is None else read_curve(judge.response.trace())
    return [
        {
            "reach": round(float(share), 6),
            "gain": shorten(found["curve"][at]),
            "low": shorten(edges["curve"][0, at]),
            "high": shorten(edges["curve"][1, at]),
            **({} if response is None else {"response": shorten(response[at])}),
        }
        for at, share in enumerate(GRID)
    ]


def describe_profit(metrics: dict[str, Any], money: Sequence[float] | None) -> dict[str, float]:
    """Profit per 1,000 people at the threshold and for everyone, with intervals; or empty."""
    if money is None:
        return {}
    value, cost = money
    at = metrics["at_threshold"]
    reach = at["reach"]
    profit: dict[str, Any] = {"value": value, "cost": cost}
    for name, number, pair, share in (
        ("kept", at["gain"], at["intervals"].get("gain"), reach),
        ("everybody", metrics["effect"], metrics["intervals"]["effect"], 1.0),
    ):
        profit[name] = round(1000 * (number * value - share * cost), 4)
        if pair:
            profit[f"{name}_interval"] = [
                round(1000 * (edge * value - share * cost), 4) for edge in pair
            ]
    return profit


def shorten(number: Any) -> float:
    """Six decimals."""
    return round(float(number), 6)
