"""Tables and lists of a model card, in Markdown: entries of a manifest in, text out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from model.training.directions import describe_trace
from model.training.phrases import format_share

MOST_FEATURES = 20
ABOUT_FEATURES = (
    "Importance is the fall of ROC AUC when the feature is permuted among people. Alone is the ROC "
    "AUC of the feature by itself. Correlated features split their importance."
)
ABOUT_DIRECTIONS = (
    "Direction is the partial dependence: the mean score when this feature alone is set to a low, "
    "then to a high value for everyone. It says what the model does, not what causes a response."
)
DONE_NESTED = "inside each fold, never on the people that it is judged by"
NOT_NESTED = (
    "The model was chosen on the people that it is judged by (`--quick`), so all figures are a "
    "little too good. Train without `--quick` before you rely on them."
)


def write_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; all columns but the first are aligned right."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
    )


def table_deciles(deciles: Sequence[Mapping[str, Any]]) -> str:
    """Response rate and cumulative gains."""
    rows = [[str(row["decile"]), *_describe_part(row)] for row in deciles]
    return write_table(["decile", *PART], rows)


def table_top(top: Sequence[Mapping[str, Any]]) -> list[str]:
    """The same of the best few percent."""
    if not top:
        return []
    rows = [[f"{row['share']:.0%}", *_describe_part(row)] for row in top]
    return [
        "The people with the very highest scores, for a small campaign:",
        write_table(["best", *PART], rows),
    ]


PART = ("people", "responded", "rate", "times the average", "cumulative gains")


def _describe_part(row: Mapping[str, Any]) -> list[str]:
    return [
        f"{row['people']:,}",
        f"{row['responders']:,}",
        format_share(row["rate"]),
        f"{row['lift']:.2f}",
        format_share(row["gain"]),
    ]


def table_decision(decision: Mapping[str, Mapping[str, int]]) -> list[str]:
    """What happens at the threshold, and what people did."""
    if not decision:
        return []
    rows = [
        [
            name,
            f"{part['people']:,}",
            f"{part['responders']:,}",
            f"{part['people'] - part['responders']:,}",
            format_share(part["responders"] / part["people"]) if part["people"] else "",
        ]
        for name, part in decision.items()
    ]
    header = ["at the threshold", "people", "responded", "did not respond", "rate"]
    return [write_table(header, rows)]


def describe_features(
    features: Sequence[Mapping[str, Any]], about: str = ABOUT_FEATURES
) -> list[str]:
    """What the model looks at, and in which direction each feature moves the score.

    about  what importance and alone mean
    """
    if not features:
        return []
    traced = any(row.get("direction") for row in features)
    rows = [
        [
            f"`{row['name']}`",
            f"{row['importance']:.4f}",
            "" if row["alone"] is None else f"{row['alone']:.3f}",
            *([describe_trace(row.get("direction"))] if traced else []),
        ]
        for row in features[:MOST_FEATURES]
    ]
    more = len(features) - MOST_FEATURES
    header = ["feature", "importance", "alone", *(["direction"] if traced else [])]
    table = write_table(header, rows)
    about = f"{about} {ABOUT_DIRECTIONS}" if traced else about
    return ["## Features", about, f"{table}\n\nand {more} more." if more > 0 else table]


def describe_subgroups(tables: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[str]:
    """A table by channel and by country, if there are several."""
    parts = []
    for label, rows in tables.items():
        if len(rows) > 1:
            cells = [
                [
                    row["value"],
                    f"{row['people']:,}",
                    format_share(row["rate"]) + _in_brackets(row, "rate", format_share),
                    format_share(row["mean_score"]),
                    f"{row['roc_auc']:.3f}" + _in_brackets(row, "roc_auc", "{:.3f}".format),
                ]
                for row in rows
            ]
            header = [label, "people", "responded", "mean score", "ROC AUC"]
            about = "95 % intervals in brackets. Groups whose intervals overlap may not differ."
            parts += [f"## By {label}", about, write_table(header, cells)]
    return parts


def _in_brackets(row: Mapping[str, Any], name: str, show: Callable[[float], str]) -> str:
    edges = row.get("intervals", {}).get(name)
    return f" ({show(edges[0])} to {show(edges[1])})" if edges else ""


def describe_training(facts: Mapping[str, Any]) -> list[str]:
    """The settings and the seed, to train the same model again."""
    options, model = facts.get("options"), facts.get("model", {})
    if not options or not model:
        return []
    settings = "".join(f", {name} {value}" for name, value in model["settings"].items())
    trained = "model" in options  # else brought along: nothing was chosen here
    asked = f" (asked for: {options['model']})" if trained else ""
    nested = facts["metrics"].get("nested", True)
    versions = facts.get("versions", {})
    lines = [
        f"Model: {model['kind']}{settings}{asked}; calibration: {facts['calibration']}",
        f"Seed: {options['seed']}",
        f"Options: {_list_options(options)}",
        *([f"Choice: {DONE_NESTED if nested else NOT_NESTED}"] if trained else []),
        "Libraries: "
        + ", ".join(f"{name} {text}" for name, text in versions.items() if isinstance(text, str)),
    ]
    if "data_sha256" in facts:
        lines.append(f"SHA-256 of outcomes and endpoints, in this order: `{facts['data_sha256']}`")
    earlier = facts.get("lineage", {}).get("bundles", [])
    if earlier:
        lines.append(f"Replaces: {earlier[-1]}, the last of {len(earlier)} before it")
    return ["## How it was made", "\n".join(f"- {line}" for line in lines)]


def _list_options(options: Mapping[str, Any]) -> str:
    """The options that have a value, as `train` or `bundle` is given them."""
    words = [f"features {options.get('features', 'given')}"]
    flags = ("search", "balanced", "quick", "float32")
    words += [f"--{name}" for name in flags if options.get(name)]
    if options.get("missing"):
        words.append(f"--missing {options['missing']}")
    words += [f"--{name} {number:g}" for name, number in options.get("threshold", {}).items()]
    if options.get("reserve"):
        words.append(f"--reserve {options['reserve']:g}")
    if options.get("external"):
        words.append("--external")
    return ", ".join(words)


def describe_nesting(metrics: Mapping[str, Any]) -> list[str]:
    """A warning above all figures, if the model was chosen on the people that judge it."""
    return [] if metrics.get("nested", True) else [f"**{NOT_NESTED}**"]
