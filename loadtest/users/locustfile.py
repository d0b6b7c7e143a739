"""Locust's own entry: the classes that it looks for, of the plan that `python -m loadtest.scenarios` made."""

from __future__ import annotations

import sys

from gevent import monkey
from locust import events

from loadtest.asking.target import Target
from loadtest.scenarios.plan import VARIABLE, Plan
from loadtest.users.members import member_classes
from loadtest.users.session import Session
from loadtest.users.steering import steering

target = Target.from_environment()
try:
    plan = Plan.from_environment()
except KeyError:
    sys.exit(f"{VARIABLE} is not set. Start locust by `python -m loadtest.scenarios SCENARIO`.")
if target is None or monkey.is_module_patched("socket"):
    sys.exit("Start locust by `python -m loadtest.scenarios SCENARIO`.")
# Locust's master sleeps in a loop until its workers are there, and must hear them meanwhile; and it is gevent, which
# forked them, that hears of their ends.
monkey.patch_time()
monkey.patch_os()

session = Session(plan, target)
session.listen(events)
globals().update(member_classes(session), Course=steering(session))
