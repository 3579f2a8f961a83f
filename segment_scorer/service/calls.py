"""Receives calls: reads each request within a time limit, and answers refusals.

Takes a service's descriptor and its methods; gives handlers for a gRPC asyncio server. A call
whose message has not arrived holds no thread and no inference.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

import grpc
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import DecodeError

from segment_scorer.service.callers import identify
from segment_scorer.service.errors import Refusal
from segment_scorer.service.log import write_log
from segment_scorer.service.meter import Meter

# Calls without their message at once. A further one ends the oldest, which is the one that has
# had most time. A call of a client that works waits for about a millisecond.
MAX_INCOMPLETE = 1_024
SWEEPS = 4  # looks for calls that are over the limit, in one time limit


class Incomplete:
    """The calls whose message has not arrived. The oldest come first.

    seconds  time limit from the call's first byte to the last of its message
    """

    def __init__(self, seconds: float, most: int = MAX_INCOMPLETE) -> None:
        self._seconds = seconds
        self._most = most
        self._waiting: dict[asyncio.Task[Any], float] = {}
        self._ended: set[asyncio.Task[Any]] = set()
        self._idle: set[asyncio.Task[Any]] = set()
        self._draining = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._sweep()

    async def read_next(self, context: Any) -> bytes | None:
        """A further message of a stream; None after the last, and when the server drains."""
        if self._draining.is_set():
            return None
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        self._idle.add(task)
        try:
            return await self.read(context)
        except asyncio.CancelledError:
            if not self._draining.is_set():
                raise  # the client gave up
            return None
        finally:
            self._idle.discard(task)

    def drain(self) -> None:
        """End the streams that wait for a further message: nothing of them is in progress."""
        self._draining.set()
        for task in self._idle:
            task.cancel()

    async def read(self, context: Any) -> bytes | None:
        """The call's next message; None after the last. Raises Refusal when it comes too late."""
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        if len(self._waiting) >= self._most:
            self._end(next(iter(self._waiting)))
        self._waiting[task] = self._loop.time()
        try:
            message = await context.read()
        except asyncio.CancelledError:
            if task not in self._ended:
                raise  # the client gave up, or the server stops
            raise Refusal(
                grpc.StatusCode.DEADLINE_EXCEEDED,
                f"expected the whole request within {self._seconds:g} s, and before "
                f"{self._most:,} later calls that wait for theirs",
            ) from None
        finally:
            self._waiting.pop(task, None)
            self._ended.discard(task)
        return None if message is grpc.aio.EOF else message

    def _end(self, task: asyncio.Task[Any]) -> None:
        del self._waiting[task]
        self._ended.add(task)
        task.cancel()

    def _sweep(self) -> None:
        """End the calls that are over the limit, a few times in each limit."""
        oldest = self._loop.time() - self._seconds
        for task in [task for task, began in self._waiting.items() if began <= oldest]:
            self._end(task)
        self._loop.call_later(self._seconds / SWEEPS, self._sweep)


class Calls:
    """Makes handlers of methods. Every handler reads its request itself.

    incomplete   the calls without their message, of every service together
    max_streams  method -> streams of it at once; further ones are RESOURCE_EXHAUSTED
    meter        told of each call that has ended
    recognise    method -> gives the request of a message that it knows without parsing, or None
    """

    def __init__(
        self,
        incomplete: Incomplete,
        max_streams: Mapping[str, int],
        meter: Meter | None = None,
        recognise: Mapping[str, Callable[[bytes], Any]] | None = None,
    ) -> None:
        self._meter = meter or Meter()
        self._incomplete = incomplete
        self._max_streams = max_streams
        self._recognise = recognise or {}
        self._streams: Counter[str] = Counter()

    def make_handlers(self, service: ServiceDescriptor, servicer: Any) -> grpc.GenericRpcHandler:
        """Handlers for every method of a service.

        servicer  its methods take a request (an iterator of requests, for a stream) and a context.
                  They may raise Refusal. A method with one response is a coroutine, one with
                  several an asynchronous generator.
        """
        return grpc.method_handlers_generic_handler(
            service.full_name,
            {
                method.name: self._make_handler(method, getattr(servicer, method.name))
                for method in service.methods
            },
        )

    def _make_handler(self, method: MethodDescriptor, behave: Callable[..., Any]) -> Any:
        parse = message_factory.GetMessageClass(method.input_type).FromString
        serialize = message_factory.GetMessageClass(method.output_type).SerializeToString
        name = method.name
        recognise = self._recognise.get(name)
        expected = f"expected a message of type {method.input_type.full_name}"

        def read(message: bytes | None) -> Any:
            if message is None:
                raise Refusal(grpc.StatusCode.INVALID_ARGUMENT, f"{expected}, found none")
            if recognise and (request := recognise(message)):
                return request
            try:
                return parse(message)
            except DecodeError as error:
                raise Refusal(
                    grpc.StatusCode.INVALID_ARGUMENT, f"{expected}, found other bytes"
                ) from error

        async def read_all(context: Any) -> AsyncIterator[Any]:
            message = await self._incomplete.read(context)
            while message is not None:
                yield read(message)
                message = await self._incomplete.read_next(context)

        async def answer(_: Any, context: Any) -> Any:
            request = None
            try:
                request = read(await self._incomplete.read(context))
                response = await behave(request, context)
            except asyncio.CancelledError:
                self._meter.count_call(name, "CANCELLED")
                raise
            except Exception as error:  # noqa: BLE001  # gRPC would quote it to the caller
                await self._end_call(name, error, request, context)
            else:
                self._meter.count_call(name, "OK")
                return response if isinstance(response, bytes) else serialize(response)

        async def answer_stream(_: Any, context: Any) -> None:
            try:
                if method.client_streaming:
                    request = read_all(context)
                else:
                    request = read(await self._incomplete.read(context))
                with self._admit_stream(name):
                    async for response in behave(request, context):
                        await context.write(response)
            except asyncio.CancelledError:
                self._meter.count_call(name, "CANCELLED")
                raise
            except Exception as error:  # noqa: BLE001  # gRPC would quote it to the caller
                await self._end_call(name, error, None, context)
            else:
                self._meter.count_call(name, "OK")

        # For gRPC each request is a stream: it would itself read a request that is not one, and
        # wait for it without a limit. The bytes on the wire are the same.
        if method.server_streaming:
            return grpc.stream_stream_rpc_method_handler(
                answer_stream, response_serializer=serialize
            )
        return grpc.stream_unary_rpc_method_handler(answer)

    @contextmanager
    def _admit_stream(self, method: str) -> Iterator[None]:
        most = self._max_streams[method]
        if self._streams[method] >= most:
            raise Refusal(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                f"expected at most {most:,} streams of {method} at once; close one",
                reason="streams",
            )
        self._streams[method] += 1
        try:
            yield
        finally:
            self._streams[method] -= 1

    async def _end_call(self, call: str, error: Exception, request: Any, context: Any) -> None:
        """Log why a call failed and end it with a refusal's status, else with INTERNAL. Raises."""
        ids = identify(request, context)
        if not isinstance(error, Refusal):
            write_log(logging.ERROR, "failed", call=call, error=error, **ids)
            error = Refusal(grpc.StatusCode.INTERNAL, "the service failed; its log says how")
        else:
            code, reason = error.code.name, error.message
            write_log(logging.WARNING, "refused", call=call, status=code, reason=reason, **ids)
        self._meter.count_call(call, error.code.name)
        self._meter.count_refusal(error.reason)
        abort: Awaitable[None] = context.abort(error.code, error.message)
        await abort
