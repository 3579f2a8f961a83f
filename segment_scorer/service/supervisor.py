"""Starts the workers, starts a dead one again, adds their counts up, and drains them together.

Loads no model. All it does happens in one loop over events: a signal, a worker that listens, a
worker that has ended.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from segment_scorer.service.errors import ServiceError
from segment_scorer.service.log import write_log
from segment_scorer.service.meter import Board
from segment_scorer.service.minutes import Minutes
from segment_scorer.service.ports import HeldPorts
from segment_scorer.service.settings import ServiceSettings
from segment_scorer.service.worker import WorkerOrder, write_order

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
LONGEST_PAUSE = 30.0  # seconds before a worker that keeps dying is started again
HEALTHY = 60.0  # seconds after which a worker's death is its first again
PATIENCE = 5.0  # seconds after the grace until a worker that does not end is killed


@dataclass(slots=True)
class Event:
    """What the loop waits for.

    kind   signal, listening or ended
    index  of the worker
    said   what a listening worker says of its model
    """

    kind: str
    index: int = -1
    said: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Slot:
    """The place of one worker.

    listening  whether its present process listens
    deaths     of its processes, in a row
    due        when it is to be started again; None: it runs
    """

    process: subprocess.Popen[bytes]
    began: float
    listening: bool = False
    deaths: int = 0
    due: float | None = None


class Supervisor:
    """Keeps `settings.workers` processes serving the addresses.

    arguments  of the command line, which each worker reads again
    """

    def __init__(
        self,
        settings: ServiceSettings,
        arguments: Sequence[str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._arguments = list(arguments)
        self._clock = clock
        # SimpleQueue is the one queue that a signal handler may use.
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._slots: list[Slot] = []
        self._board = Board(settings.workers)
        self._facts: dict[str, Any] = {}
        self._restarts = 0
        self._addresses: tuple[str, ...] = ()

    def run(self) -> None:
        """Serve until a signal, then drain all workers. A second signal kills them: status 1.

        Raises ServiceError if the workers cannot start.
        """
        for number in STOP_SIGNALS:
            signal.signal(number, lambda *_: self._events.put(Event("signal")))
        tcp = [it for it in self._settings.listen if not it.startswith("unix:")]
        with HeldPorts(tcp) as held:
            probe = [it for it in self._settings.listen if it.startswith("unix:")]
            self._addresses = (*held.addresses, *probe)
            metrics = self._start_metrics()
            try:
                self._slots = [self._start(index) for index in range(self._settings.workers)]
                is_stopped = self._wait_until_all_listen()
            except BaseException:
                self._kill()
                raise
        if not is_stopped:
            count = len(self._slots)
            where: dict[str, Any] = {"addresses": self._addresses, **metrics}
            write_log(logging.INFO, "listening", **where, workers=count, **self._facts)
            self._supervise()
        self._drain()

    def _start(self, index: int) -> Slot:
        tcp = [it for it in self._addresses if not it.startswith("unix:")]
        order = WorkerOrder(
            index=index,
            workers=self._settings.workers,
            descriptor=self._board.descriptor,
            # A Unix socket belongs to one process: the probe's is the first worker's.
            listen=self._addresses if index == 0 else tuple(tcp),
        )
        process = subprocess.Popen(
            [sys.executable, "-m", "segment_scorer.service", *self._arguments],
            env={**os.environ, **write_order(order)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=[self._board.descriptor],
            process_group=0,  # a terminal's Ctrl-C reaches this process only, which drains them
        )
        thread = threading.Thread(target=self._listen_to, args=(index, process), daemon=True)
        thread.start()
        return Slot(process, self._clock())

    def _listen_to(self, index: int, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None  # noqa: S101  # it is a pipe
        for line in process.stdout:
            try:
                self._events.put(Event("listening", index, json.loads(line)))
            except ValueError:
                continue  # printed by a library
        self._events.put(Event("ended", index))

    def _start_metrics(self) -> dict[str, str]:
        if not self._settings.metrics:
            return {}
        from segment_scorer.service.metrics import Sources, start_metrics  # noqa: PLC0415

        sources = Sources(
            counts=self._board.read,
            facts=lambda: self._facts,
            pids=self._list_pids,
            restarts=lambda: self._restarts,
        )
        return {"metrics": start_metrics(self._settings.metrics, sources)}

    def _list_pids(self) -> list[int]:
        return [slot.process.pid for slot in self._slots if slot.due is None]

    def _wait_until_all_listen(self) -> bool:
        """Whether a signal came first. Raises ServiceError if a worker cannot start."""
        while not all(slot.listening for slot in self._slots):
            event = self._events.get()
            if event.kind == "signal":
                return True
            if event.kind == "ended":
                self._slots[event.index].process.wait()
                raise ServiceError("a worker could not start; the log says why")
            self._take_listening(event)
        return False

    def _take_listening(self, event: Event) -> None:
        self._slots[event.index].listening = True
        self._facts = event.said

    def _supervise(self) -> None:
        """Until a signal: start dead workers again, and write a line a minute."""
        minutes = Minutes(self._board.read, self._list_pids, self._clock)
        while True:
            dues = [slot.due - self._clock() for slot in self._slots if slot.due is not None]
            try:
                event = self._events.get(timeout=max(0.0, min(minutes.seconds_left, *dues, 60.0)))
            except queue.Empty:
                minutes.write_if_due(self._facts)
                self._start_due()
                continue
            if event.kind == "signal":
                break
            if event.kind == "listening":
                self._take_listening(event)
                write_log(logging.INFO, "worker listens", worker=event.index)
            else:
                self._take_end(event.index)
        minutes.write(self._facts)

    def _take_end(self, index: int) -> None:
        slot = self._slots[index]
        status = slot.process.wait()
        self._board.forget_queue(index)
        lived = self._clock() - slot.began
        slot.deaths = 1 if slot.listening and lived >= HEALTHY else slot.deaths + 1
        was_listening, slot.listening = slot.listening, False
        if not was_listening and not any(each.listening for each in self._slots):
            self._kill()
            raise ServiceError("no worker is left, and none could start; the log says why")
        pause = min(2.0 ** (slot.deaths - 1) - 1.0, LONGEST_PAUSE)
        slot.due = self._clock() + pause
        write_log(
            logging.WARNING,
            "worker ended",
            worker=index,
            ended=describe_end(status),
            restart_in=pause,
        )

    def _start_due(self) -> None:
        for index, slot in enumerate(self._slots):
            if slot.due is not None and slot.due <= self._clock():
                close_pipes(slot.process)
                self._slots[index] = self._start(index)
                self._slots[index].deaths = slot.deaths
                self._restarts += 1

    def _drain(self) -> None:
        """Drain all workers at once. Kills those that do not end in time, and all on a signal."""
        write_log(logging.INFO, "draining", seconds=self._settings.grace)
        running = {index for index, slot in enumerate(self._slots) if slot.process.poll() is None}
        for index in running:
            self._slots[index].process.terminate()
        end = self._clock() + self._settings.grace + PATIENCE
        while running:
            try:
                event = self._events.get(timeout=max(0.0, end - self._clock()))
            except queue.Empty:
                event = Event("signal")
            if event.kind == "signal":
                self._kill()
                write_log(logging.WARNING, "cut short")
                raise SystemExit(1)
            if event.kind == "ended" and event.index in running:
                self._slots[event.index].process.wait()
                running.discard(event.index)
        for slot in self._slots:
            close_pipes(slot.process)
        write_log(logging.INFO, "stopped")

    def _kill(self) -> None:
        for slot in self._slots:
            slot.process.kill()
            slot.process.wait()
            close_pipes(slot.process)


def supervise(settings: ServiceSettings, arguments: Sequence[str]) -> None:
    """Serve with several workers until a signal. Raises ServiceError if they cannot start."""
    Supervisor(settings, arguments).run()


def close_pipes(process: subprocess.Popen[Any]) -> None:
    """Close what is left of a process that has ended."""
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


def describe_end(status: int) -> str:
    """How a process ended: `status 1`, or the signal's name."""
    if status >= 0:
        return f"status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"
