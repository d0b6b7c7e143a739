"""The number of users over time, for locust: it asks once a second, and says how many there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from locust import LoadTestShape

if TYPE_CHECKING:
    from loadtest.scenarios.shapes import Shape
    from loadtest.users.session import Session

TOLD_EVERY_SECONDS = 10.0
SPAWNED_PER_SECOND = 100.0  # a level begins when it says, not bit by bit


class Steering(LoadTestShape):
    """Follows the plan's shape; anew for each run that is started on the page.

    `is_over`: the shape has come to its end; a run that ends otherwise is cut short. `is_told_to_end`: by a signal.
    """

    abstract = True
    session: ClassVar[Session]

    def __init__(self) -> None:
        super().__init__()
        self.course: Shape = self.session.plan.shape()
        self.users_over_time: list[tuple[float, int]] = []
        self.is_over = self.is_told_to_end = False

    def reset_time(self) -> None:
        super().reset_time()
        self.course = self.session.plan.shape()
        self.users_over_time = []
        self.is_over = self.is_told_to_end = False

    def tick(self) -> tuple[int, float] | None:
        """At the end all leave before the run is over: workers that quit with requests in flight would lose them."""
        at, present = self.get_run_time(), self.get_current_user_count()
        samples = self.session.ledger.samples
        if self.users_over_time and at // TOLD_EVERY_SECONDS > self.users_over_time[-1][0] // TOLD_EVERY_SECONDS:
            print(f"  {at:.0f} s, {present} users, {len(samples):,} requests", flush=True)
        self.users_over_time.append((at, present))
        wanted = None if self.is_told_to_end else self.course.users(at, self.session.started_at, samples)
        if wanted is None:
            self.is_over = self.is_over or not self.is_told_to_end
            return (0, SPAWNED_PER_SECOND) if present else None
        return wanted, SPAWNED_PER_SECOND


def steering(session: Session) -> type[Steering]:
    return type("Course", (Steering,), {"abstract": False, "session": session})
