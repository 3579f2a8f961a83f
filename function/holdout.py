"""The control group of a policy: users who are drawn by id and not messaged.

Takes an endpoint, readable or not. Needs an id, and nothing else.
"""

from __future__ import annotations

import hashlib

import msgspec

from function.records import Endpoint
from model.paths import find_user

TWO_TO_THE_64 = float(1 << 64)


class Holdout(msgspec.Struct, frozen=True, kw_only=True):
    """A control group that is not messaged: `percent` of users, the same ones for one salt."""

    percent: float = 0.0
    salt: str = ""
    attribute: str = ""

    @property
    def draws(self) -> bool:
        """Whether there is a control group."""
        return self.percent > 0.0

    def holds(self, endpoint: Endpoint) -> bool:
        """Whether the endpoint's user is in the control group. Needs an id, and nothing else."""
        return (
            self.draws and find_unit(endpoint) != "" and self.draw(endpoint) < self.percent / 100.0
        )

    def draw(self, endpoint: Endpoint) -> float:
        """A number from 0 to 1 for the endpoint's user, or for the endpoint if it has no UserId.

        The first 8 bytes, big-endian, of BLAKE2b(salt + NUL + id), divided by 2^64: uniform, the
        same on every machine, and the same for all endpoints of one user.
        """
        key = f"{self.salt}\0{find_unit(endpoint)}"
        digest = hashlib.blake2b(key.encode("utf-8", "surrogatepass")).digest()
        return int.from_bytes(digest[:8], "big") / TWO_TO_THE_64


def find_unit(endpoint: Endpoint) -> str:
    """The id by which an endpoint is drawn: its UserId, else its own id; "" if it has neither."""
    return endpoint.user or find_user(endpoint.document) or endpoint.id
