"""The text that data platforms write where a value is missing. The only list of it in the project.

It counts where a number is expected, or a date. Elsewhere `None` or `NA` may be a real value.
"""

from __future__ import annotations

# In lower case. Sources: the defaults of pandas.read_csv (`na_values`); `\N` is how MySQL,
# PostgreSQL's COPY and Hive write NULL; `(null)` and `nil` are Oracle's tools' and Ruby's. What is
# infinite is no number that can be used, in text as in JSON; pandas and PostgreSQL write it so.
NULL_MARKERS = frozenset(
    {
        "",
        "\\n",
        "#n/a",
        "#n/a n/a",
        "#na",
        "#null!",
        "(null)",
        "-1.#ind",
        "-1.#qnan",
        "-nan",
        "1.#ind",
        "1.#qnan",
        "<na>",
        "n/a",
        "na",
        "nan",
        "nil",
        "none",
        "null",
        "inf",
        "+inf",
        "-inf",
        "infinity",
        "+infinity",
        "-infinity",
    }
)
LONGEST_MARKER = 16  # characters, with spaces around it; a longer text is not looked at


def is_null_marker(text: str) -> bool:
    """Whether a text stands for a missing value where a number or a date is expected.

    Case and surrounding spaces do not matter. Empty text counts.
    """
    return len(text) <= LONGEST_MARKER and text.strip().lower() in NULL_MARKERS
