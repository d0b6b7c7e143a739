"""Programs that fork after they have used the client, as application servers and pools of workers do."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.integration.sdk.test_endings import CALL, START, run

if TYPE_CHECKING:
    from tests.integration.sdk.conftest import Service

# Python 3.12 warns of every fork beside threads.
FORKS = START + "import os, time, warnings; warnings.simplefilter('ignore', DeprecationWarning)\n"
# Child and parent ask at the same time, on connections of their own; the child ends as any program does.
FORK = """
child = os.fork()
attempts = [client.predict(order).attempts for _ in range(3)]
if not child:
    {end}
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), attempts, client.predict(order).attempts)
client.close()
"""
UNDER_WAY = """
prediction = []
thread = threading.Thread(target=lambda: prediction.append(client.predict(order)))
thread.start()
time.sleep(2)  # until the service has the request
child = os.fork()
if not child:
    del client
    import gc; gc.collect()
    sys.exit(7)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), len(prediction), flush=True)
thread.join()
print(prediction[0].attempts)
"""
POOL = """
import multiprocessing
from dataclasses import replace
from frond import CloudInferenceError
def attempts(top_k):
    return client.predict(replace(order, top_k=top_k)).attempts
client.predict(order)
with multiprocessing.get_context("fork").Pool(2) as pool:
    print(pool.map(attempts, [1, 2, 3, 4]))
    try:
        pool.map(attempts, [0])
    except CloudInferenceError as error:
        print(error.code, error.idempotency_key is not None)
client.close()
"""


@pytest.mark.parametrize("before", ["", CALL], ids=["made before", "used before"])
@pytest.mark.parametrize("end", ["sys.exit(7)", "client.close(); sys.exit(7)", "os._exit(7)"])
async def test_parent_and_child_ask_at_once(service: Service, before: str, end: str) -> None:
    printed = await run(service, FORKS + before + FORK.format(end=end))
    assert printed.splitlines()[-1] == "7 [1, 1, 1] 1"
    assert len(service.diagnoser.asked) == 7 + bool(before)


async def test_a_child_that_ends_does_not_end_the_parents_call(service: Service) -> None:
    service.diagnoser.gate = asyncio.Event()
    program = asyncio.create_task(run(service, FORKS + UNDER_WAY))
    await service.diagnoser.waiting.wait()
    await asyncio.sleep(4)
    service.diagnoser.gate.set()
    assert await program == "7 0\n1\n"
    assert len(service.diagnoser.asked) == 1


async def test_a_pool_of_workers_gets_answers_and_errors(service: Service) -> None:
    assert await run(service, FORKS + POOL) == "[1, 1, 1, 1]\nrequest_invalid True\n"
