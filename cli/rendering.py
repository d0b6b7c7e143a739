"""A diagnosis as a picture in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from frond.types import AbstainReason

if TYPE_CHECKING:
    from frond.types import Diagnosis, DiagnosisResponse, Error, ImageDiagnosis, Prediction

BAR_CELLS = 28
EIGHTHS = " ▏▎▍▌▋▊▉"
REASONS = {
    AbstainReason.NOT_A_LEAF: "This does not look like a leaf.",
    AbstainReason.LOW_CONFIDENCE: "Not sure enough to name one: take these as hints.",
}


def render(response: DiagnosisResponse, names: list[str]) -> RenderableType:
    """The whole answer; `names` are the photos' file names in the order of the request."""
    if response.result is None:
        return _error(response.error, response.request_id)
    diagnosis = response.result
    parts: list[RenderableType] = []
    if diagnosis.abstain_reason:
        parts.append(Text(REASONS[diagnosis.abstain_reason], style="yellow"))
    if diagnosis.abstain_reason != AbstainReason.NOT_A_LEAF:
        parts.append(_predictions(diagnosis.predictions))
    if len(names) > 1 or any(image.error for image in diagnosis.images):
        parts.append(_photos(diagnosis.images, names))
    parts.append(_facts(diagnosis, response.request_id))
    return Group(*parts)


def _error(error: Error | None, request_id: str) -> RenderableType:
    if error is None:
        return Text("The answer is empty.", style="red")
    again = f", may be tried again in {error.retry_after_ms or 0} ms" if error.retryable else ""
    return Text.assemble(
        ("✗ ", "red"), (f"{error.category}/{error.code}", "bold red"), f"  {error.message}\n",
        (f"  request {request_id}{again}", "dim"),
    )  # fmt: skip


def _predictions(predictions: list[Prediction]) -> Table:
    table = Table.grid(padding=(0, 2))
    for rank, prediction in enumerate(predictions):
        style = ("bold green" if prediction.healthy else "bold") if rank == 0 else "dim"
        name = Text(f"{prediction.crop} · {prediction.condition}", style=style)
        share = Text(f"{prediction.confidence:6.1%}", style=style)
        table.add_row(name, share, Text(bar(prediction.confidence), style="green" if prediction.healthy else "blue"))
    return table


def bar(share: float) -> str:
    """A share of 0 to 1 as a bar of BAR_CELLS cells, to an eighth of a cell."""
    eighths = round(min(max(share, 0), 1) * BAR_CELLS * 8)
    return ("█" * (eighths // 8) + EIGHTHS[eighths % 8]).rstrip()


def _photos(images: list[ImageDiagnosis], names: list[str]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_row()
    for name, image in zip(names, images, strict=True):
        if image.error:
            table.add_row(name, Text("✗", style="red"), Text(f"{image.error.code}: {image.error.message}", style="red"))
        elif image.abstain_reason:
            table.add_row(name, Text("?", style="yellow"), REASONS[image.abstain_reason])
        else:
            top = image.predictions[0]
            table.add_row(name, Text("✓", style="green"), f"{top.crop} · {top.condition} {top.confidence:.1%}")
    return table


def _facts(diagnosis: Diagnosis, request_id: str) -> Text:
    model, timing = diagnosis.model, diagnosis.timing_ms
    error = "not measured" if model.calibration_error is None else f"{model.calibration_error:.2%}"
    return Text(
        f"\n{model.name} {model.version}, temperature {model.temperature:.2f}, calibration error {error}\n"
        f"queue {timing.queue:.1f} ms, decode {timing.decode:.1f} ms, infer {timing.infer:.1f} ms, "
        f"total {timing.total:.1f} ms\nrequest {request_id}",
        style="dim",
    )
