"""The outcomes of a campaign: a column that says who was messaged, or a run of ours, in; a table
with both out. Reads files; fits nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from model.errors import DataError
from model.people.outcome_columns import ColumnNames
from model.training.config import UpliftConfig
from model.training.datasets import OutcomeTable, read_outcomes
from model.training.treatment import Treatment, read_run


def read_campaign(path: Path, columns: ColumnNames, uplift: UpliftConfig | None) -> OutcomeTable:
    """Read an outcomes file; with `uplift`, and who was messaged. Raises DataError."""
    table = read_outcomes(path, columns)
    if uplift is None:
        return table
    if uplift.run is None:
        if table.treatment is None:
            raise ValueError("expected the name of a column that says who was messaged")
        return replace(table, treatment=replace(table.treatment, share=uplift.share))
    treatment, users = read_run(uplift.run)
    share = treatment.share if uplift.share is None else uplift.share
    return spread_outcomes(table, replace(treatment, share=share), users)


def spread_outcomes(
    table: OutcomeTable, treatment: Treatment, users: Mapping[str, str]
) -> OutcomeTable:
    """The outcomes of a run's people by Id.

    If the file lists no outcome of 0, it lists responders, and everybody else of the run gets 0, as
    in `lift`. Raises DataError if no id of the file is in the run.
    """
    only_responders = all(table.outcomes.values())
    names = {id_: id_ if table.key == "Id" else users[id_] for id_ in treatment.flags}
    matched = {id_: name for id_, name in names.items() if name in table.outcomes}
    if not matched:
        raise DataError(
            f"expected outcomes of the run's people, found no {table.key} of the run in the file"
        )
    outcomes = {
        id_: table.outcomes.get(name, 0)
        for id_, name in (names if only_responders else matched).items()
    }
    notices = list(treatment.notices)
    if only_responders:
        notices.append(
            f"the outcomes list no 0: the {len(outcomes) - len(matched):,} people of the run who "
            "are not listed count as 0"
        )
    dates = table.dates
    if dates is not None:
        dates = {id_: dates[name] for id_, name in matched.items()}
        outcomes = {id_: outcomes[id_] for id_ in matched}
    return OutcomeTable(
        key="Id",
        outcomes=outcomes,
        dates=dates,
        readings=table.readings,
        treatment=replace(treatment, notices=tuple(notices)),
    )
