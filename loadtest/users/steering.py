"""The number of users over time, for locust: it asks once a second, and says how many there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from locust import LoadTestShape

if TYPE_CHECKING:
    from loadtest.scenarios.shapes import Shape
    from loadtest.users.session import Session

SPAWNED_PER_SECOND = 100.0  # a level begins when it says, not bit by bit


class Steering(LoadTestShape):
    """Follows the plan's shape; anew for each run that is started on the page."""

    abstract = True
    session: ClassVar[Session]

    def __init__(self) -> None:
        super().__init__()
        self.course: Shape = self.session.plan.shape()
        self.users_over_time: list[tuple[float, int]] = []

    def reset_time(self) -> None:
        super().reset_time()
        self.course = self.session.plan.shape()
        self.users_over_time = []

    def tick(self) -> tuple[int, float] | None:
        """At the end all leave before the run is over: workers that quit with requests in flight would lose them."""
        at, present = self.get_run_time(), self.get_current_user_count()
        self.users_over_time.append((at, present))
        wanted = self.course.users(at, self.session.started_at, self.session.ledger.samples)
        if wanted is None:
            return (0, SPAWNED_PER_SECOND) if present else None
        return wanted, SPAWNED_PER_SECOND


def steering(session: Session) -> type[Steering]:
    return type("Course", (Steering,), {"abstract": False, "session": session})
