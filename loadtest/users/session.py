"""A process of locust that runs a plan: it asks when locust says so, and writes the report where the run is steered."""

from __future__ import annotations

import logging
import signal
import sys
import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import gevent
from gevent.event import Event
from locust.runners import WORKER_REPORT_INTERVAL, MasterRunner, WorkerRunner

from loadtest.asking.answer import DEFECT, Sample
from loadtest.asking.crowd import crowd
from loadtest.report.writing import publish, until
from loadtest.scenarios.outcome import run_of
from loadtest.scenarios.shapes import Ramp
from loadtest.users.ledger import Ledger
from loadtest.users.loop import LoopThread
from loadtest.users.steering import Steering

if TYPE_CHECKING:
    from locust.env import Environment
    from locust.event import Events

    from loadtest.asking.crowd import Crowd
    from loadtest.asking.target import Target
    from loadtest.scenarios.plan import Plan


class Session:
    """Nothing but `listen` may be called before locust's event `init`; a master takes no turns."""

    ledger: Ledger
    _events: Events
    _loop: LoopThread
    _crowd: Crowd

    def __init__(self, plan: Plan, target: Target) -> None:
        self.plan = plan
        self.started_at = 0.0
        self._target = target
        self._reports = 0
        self._is_due = False  # a report
        self._is_ready = Event()
        self._connections = AsyncExitStack()

    def listen(self, events: Events) -> None:
        events.init.add_listener(self._begin)
        events.test_start.add_listener(self._start)
        events.test_stop.add_listener(self._stop)
        events.quitting.add_listener(self._quit)

    def take_turn(self, kind: str, user: str, group: str = "users") -> None:
        """For a greenlet: a worker of locust's can be told to start before it is ready."""
        self._is_ready.wait()
        try:
            self._loop.run(self._crowd.take_turn(kind, user, group))
        except Exception:  # locust logs it, and goes on as if there had been no request
            self.ledger.record(Sample(time.time(), 0.0, kind, DEFECT, group=group))
            raise
        finally:
            self.ledger.tell(self._events.request.fire)

    def is_noise(self) -> bool:
        return self.plan.is_noise(time.time() - self.started_at)

    def _begin(self, environment: Environment, **_: Any) -> None:
        """After locust has forked its workers: threads do not survive a fork."""
        logging.getLogger("locust.stats_logger").disabled = True  # its tables at the end, where our report is
        self._events = environment.events
        self.ledger = Ledger(is_worker=isinstance(environment.runner, WorkerRunner))
        self._events.report_to_master.add_listener(self.ledger.report)
        self._events.worker_report.add_listener(self.ledger.take)
        if environment.web_ui:
            page = environment.web_ui
            print(f"Start the run on http://{page.host}:{page.port}; Ctrl-C ends it.", flush=True)
        elif not isinstance(environment.runner, WorkerRunner):
            gevent.signal_handler(signal.SIGTERM, self._told_to_end, environment)
        if not isinstance(environment.runner, MasterRunner):
            self._loop = LoopThread()
            asking = crowd(self._target, self.plan.scenario.habits, self.ledger.record)
            self._crowd = self._loop.run(self._connections.enter_async_context(asking))
            self._events.quitting.add_listener(self._end)
            self._is_ready.set()

    def _start(self, environment: Environment, **_: Any) -> None:
        self.ledger.clear()
        self.started_at = time.time()
        if isinstance(environment.runner, WorkerRunner):
            return
        self._is_due = True
        plan, shape = self.plan, _steering(environment).course
        length = f"{plan.seconds:g} s a step" if isinstance(shape, Ramp) else until(plan.seconds)
        print(f"{plan.name}: {plan.users} users {length} …", flush=True)

    def _told_to_end(self, environment: Environment) -> None:
        """Before locust's own handler is there: the users leave when they are answered, and the report is written."""
        if not self._is_due:
            sys.exit(1)
        _steering(environment).is_told_to_end = True

    def _stop(self, environment: Environment, **_: Any) -> None:
        """On the page another run may follow; workers may still have something to report."""
        if environment.web_ui:
            gevent.spawn_later(WORKER_REPORT_INTERVAL + 1, self._quit, environment)

    def _quit(self, environment: Environment, **_: Any) -> None:
        """Without a page this comes once, after the last reports of the workers."""
        if self._is_due:
            self._is_due = False
            environment.process_exit_code = self._report(environment)

    def _report(self, environment: Environment) -> int:
        steering = _steering(environment)
        run = run_of(
            self.plan,
            shape=steering.course,
            target=self._target.url,
            started_at=self.started_at,
            samples=list(self.ledger.samples),
            users=steering.users_over_time,
            is_cut_short=not steering.is_over,
        )
        self._reports += 1
        folder = self.plan.report
        if self._reports > 1:
            folder = folder.with_name(f"{folder.name}-{self._reports}")
        return publish(run, folder)

    def _end(self, **_: Any) -> None:
        self._loop.run(self._connections.aclose())
        self._loop.close()


def _steering(environment: Environment) -> Steering:
    steering = environment.shape_class
    assert isinstance(steering, Steering)
    return steering
