"""Whether chance decided who was messaged, and whether enough people responded."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from model.errors import DataError
from model.features import FeatureSpec
from model.training.people import People
from model.training.uplift.campaign import split_users
from model.training.uplift.lot import check_lot, leave_out_mixed, make_campaign
from tests.training_people import make_scored


def draw_people(
    users: int = 1500, *, pull: float = 0.0, rate: float = 0.3, each: int = 1, seed: int = 0
) -> People:
    """People messaged by lot; with `pull`, rather those with a high first feature."""
    random = np.random.default_rng(seed)
    matrix = random.normal(size=(users, 3)).astype(np.float32)
    treated = (random.random(users) < 1 / (1 + np.exp(-pull * matrix[:, 0]))).astype(np.int64)
    outcomes = (random.random(users) < rate).astype(np.int64)
    rows = np.repeat(np.arange(users), each)
    people = make_scored(matrix[rows], outcomes[rows], FeatureSpec(()), groups=rows)
    return replace(people, treated=treated[rows])


def test_a_lot_is_not_foretold() -> None:
    campaign, notices = make_campaign(draw_people(), None)
    assert check_lot(campaign, 0) == notices == []
    assert campaign.share == pytest.approx(0.5, abs=0.05)


def test_a_choice_by_the_features_is_refused() -> None:
    campaign, _ = make_campaign(draw_people(pull=1.5), None)
    with pytest.raises(DataError, match="expected chance to have decided who was messaged"):
        check_lot(campaign, 0)


def test_a_slight_choice_by_the_features_is_warned_of() -> None:
    campaign, _ = make_campaign(draw_people(6000, pull=0.13, seed=2), None)
    (notice,) = check_lot(campaign, 0)
    assert "foretell a little who was messaged" in notice


def test_missing_features_do_not_hide_a_choice() -> None:
    people = draw_people(pull=1.5)
    people.matrix[::3, 1] = np.nan
    campaign, _ = make_campaign(people, None)
    with pytest.raises(DataError, match=r"by chance 0\.5"):
        check_lot(campaign, 0)


def test_too_few_responders_are_refused_with_the_number_needed() -> None:
    with pytest.raises(DataError, match=r"at least 100 users who responded .* About [\d,]+ users"):
        make_campaign(draw_people(rate=0.05), None)


def test_responders_are_counted_by_user() -> None:
    with pytest.raises(DataError, match="expected at least 100 users"):
        make_campaign(draw_people(400, rate=0.3, each=5), None)


def test_a_share_that_chance_hardly_gives_is_refused() -> None:
    make_campaign(draw_people(), 0.5)
    with pytest.raises(DataError, match=r"messaged 60.0% of users, found (49|50|51)"):
        make_campaign(draw_people(), 0.6)


@pytest.mark.parametrize(("flag", "who"), [(1, "not messaged"), (0, "was messaged")])
def test_a_campaign_without_one_of_the_groups_is_refused(flag: int, who: str) -> None:
    people = draw_people()
    people = replace(people, treated=np.full(len(people.outcomes), flag))
    with pytest.raises(DataError, match=f"found nobody who .*{who}"):
        make_campaign(people, None)


def test_users_with_both_treatments_are_left_out_and_counted() -> None:
    people = draw_people(each=2)
    treated = np.array(people.treated)
    treated[0] = 1 - treated[0]
    kept, notices = leave_out_mixed(replace(people, treated=treated))
    assert len(kept.outcomes) == len(people.outcomes) - 2
    assert notices[0].startswith("1 users are left out")
    assert leave_out_mixed(people) == (people, [])


def test_a_user_is_on_one_side_of_every_fold_and_groups_are_balanced() -> None:
    campaign, _ = make_campaign(draw_people(each=2), None)
    for train, test in split_users(campaign, 5, 3):
        assert not set(campaign.groups[train]) & set(campaign.groups[test])
        assert campaign.treated[test].mean() == pytest.approx(campaign.treated.mean(), abs=0.01)
        assert campaign.outcomes[test].mean() == pytest.approx(campaign.outcomes.mean(), abs=0.01)
