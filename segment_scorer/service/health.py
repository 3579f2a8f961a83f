"""grpc.health.v1 for the service: SERVING until it drains, then NOT_SERVING."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any

import grpc
from grpc_health.v1 import health_pb2 as pb

from segment_scorer.service.errors import Refusal

SERVICE = pb.DESCRIPTOR.services_by_name["Health"]


# Our own: grpcio-health-checking's asyncio servicer forgets the other watchers of a name when one
# of them leaves (1.81).
class Health:
    """Answers Check and Watch.

    names  what is served, beside "" for the whole server
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names = {"", *names}
        self._draining = asyncio.Event()

    def drain(self) -> None:
        """Report NOT_SERVING from now on, to watchers too."""
        self._draining.set()

    async def Check(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        """The status of a name; NOT_FOUND for an unknown one, as the protocol says."""
        if request.service not in self._names:
            raise Refusal(grpc.StatusCode.NOT_FOUND, "no such service")
        return pb.HealthCheckResponse(status=self._status)

    async def Watch(self, request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: ARG002, N802
        """The status of a name now, and when it changes. Ends when the server drains."""
        if request.service not in self._names:
            yield pb.HealthCheckResponse(status=pb.HealthCheckResponse.SERVICE_UNKNOWN)
        elif not self._draining.is_set():
            yield pb.HealthCheckResponse(status=self._status)
        await self._draining.wait()
        if request.service in self._names:
            yield pb.HealthCheckResponse(status=self._status)

    @property
    def _status(self) -> Any:
        kinds = pb.HealthCheckResponse
        return kinds.NOT_SERVING if self._draining.is_set() else kinds.SERVING
