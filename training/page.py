"""The model card as one page: no script, nothing loaded, readable on a phone, in light and in dark."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from training.abstention import TARGET_RISK
from training.figures import FEW_PHOTOS, reliability_diagram, risk_coverage_picture, score_picture
from training.markup import bullets, key, label, number, percent, share, table, tile
from training.metrics import BINS
from training.page_style import STYLE

if TYPE_CHECKING:
    from training.card import Card, Choice
    from training.evaluation import Figures
    from training.refusals import Histogram, Refusals

NOTHING = "&ndash;"
SCORE_KEY = f"{key('leaf', 'known labels')} {key('unknown', 'leaves of no label')} {key('less', 'no leaf')}"
RELIABILITY_KEY = " ".join(
    (key("leaf", "share right"), key("more", "of it, more than the mean confidence"), key("less", "less than it"))
)
STYLES = {"known": "leaf", "unknown": "unknown", "non_leaf": "nonleaf"}


def render_page(card: Card) -> str:
    """The page as HTML."""
    sections = (_head, _caveats, _calibration, _abstention, _classes, _confusions, _photos, _provenance)
    body = "\n".join(section(card) for section in sections)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(card.provenance.title)}, release {escape(card.model.version)}</title>"
        f"<style>{STYLE}</style></head>\n<body><main>\n{body}\n</main></body></html>\n"
    )


def _head(card: Card) -> str:
    model, measured = card.model, card.title_of(card.measured_on)
    before, after = card.headline.before, card.headline.after
    in_field, refused = card.field_samples("known"), (f"{card.measured_on}/leaves", *card.field_samples("non_leaf"))
    tiles = [
        (f"{measured}: accuracy", after.accuracy),
        (f"Calibration error; {before.calibration_error.value:.1%} before", after.calibration_error),
        *((f"Accuracy: {card.title_of(e.sample)}", e.after.accuracy) for e in card.figures if e.sample in in_field),
        *(
            (f"Refused as no leaf: {card.title_of(e.sample)}", e.not_a_leaf)
            for e in card.refusals
            if e.sample in refused
        ),
    ]
    return (
        f"<header><p class=soft>Model card, {card.created}</p><h1>{escape(card.provenance.title)}</h1>"
        f"<p>Release {escape(model.version)}: {len(model.labels)} labels, photos at {model.input_pixels} px, "
        f"temperature {card.temperature:.3f}.</p><p>{escape(card.provenance.intended_use)}</p></header>\n"
        f"<dl class=tiles>{''.join(tile(name, estimate) for name, estimate in tiles)}</dl>\n"
        "<p class=soft>Small figures are 95&nbsp;% intervals: from a bootstrap over leaf groups, since photos of one "
        "leaf, or taken one after the other, are not independent; Wilson&rsquo;s where every photo is a group of its "
        "own or all agree. With few groups they are wide.</p>"
    )


def _caveats(card: Card) -> str:
    caveats = list(card.provenance.caveats)
    if not card.is_tested:
        caveats.append(
            "There was no test set. These figures are those of the photos on which the temperature and the thresholds "
            "were chosen, and so look better than they are."
        )
    return f"<h2>Before trusting a figure</h2>{bullets(escape(caveat) for caveat in caveats)}" if caveats else ""


def _calibration(card: Card) -> str:
    before, after = card.headline.before, card.headline.after
    floor = after.calibration_error_floor
    pictures = "".join(
        f"<figure><h3>{when.capitalize()}: temperature {figures.temperature:.3f}, "
        f"error {percent(figures.calibration_error.value, 2)}</h3>"
        f"{reliability_diagram(figures.bins, f'reliability-{when}', f'Reliability {when} calibration')}</figure>"
        for when, figures in (("before", before), ("after", after))
    )
    return (
        "<h2>Calibration</h2><p>Of the answers given with 80&nbsp;% confidence, 80&nbsp;% should be right. "
        "Temperature scaling (Guo et al. 2017) divides the logits by one number, fitted on the calibration photos "
        f"alone. The pictures show: {escape(card.title_of(card.measured_on))}.</p><div class=pair>{pictures}</div>"
        f"<p class=soft>{RELIABILITY_KEY} Lines: "
        f"Wilson intervals; below: photos in each bin, pale with fewer than {FEW_PHOTOS}. Chance alone looks like a "
        f"calibration error: a perfectly calibrated model with these confidences would show {percent(floor.value, 2)} "
        f"on as many photos ({percent(floor.low, 2)} to {percent(floor.high, 2)}).</p>"
        + table(
            f"Before and after. Error: expected calibration error, {BINS} bins of equal width or equally many photos.",
            ("Photos", "Accuracy", "NLL", "Brier", "Error, equal width", "Error, equal mass"),
            [
                _figures_row(f"{card.title_of(entry.sample)}, {when}", figures)
                for entry in card.figures
                for when, figures in (("before", entry.before), ("after", entry.after))
            ],
        )
    )


def _figures_row(title: str, figures: Figures) -> list[str]:
    return [
        escape(title),
        share(figures.accuracy),
        number(figures.negative_log_likelihood),
        number(figures.brier),
        share(figures.calibration_error, 2),
        share(figures.adaptive_calibration_error, 2),
    ]


def _abstention(card: Card) -> str:
    choices = (
        ("log-odds of a leaf", card.leaf_log_odds),
        ("leaf energy", card.leaf_energy),
        ("confidence", card.min_confidence),
    )
    confidence = card.min_confidence.value or 0.0
    pictures = (_score_figure(card, *pair) for pair in zip(card.leaf_scores, choices, strict=False))
    return (
        "<h2>When it does not answer</h2><p>A photo is refused as no leaf when its first prediction is the background "
        "label, or the log-odds of a leaf against the background are too low. It is refused as not sure when its leaf "
        "energy is too low, so that it is unlike the known leaves, or its first prediction&rsquo;s confidence is.</p>"
        + bullets(f"Lowest {name}: <b>{_threshold(choice)}</b>. {escape(choice.rule)}" for name, choice in choices)
        + f"<div class=pair>{''.join(pictures)}{_risk_figure(card, confidence)}</div>"
        + table(
            "What the server says to each photo on its own, and the two first predictions that field photos get most.",
            (
                "Photos",
                "Number",
                "No leaf",
                "Not sure",
                "Answered",
                "Right, if answered",
                "Mean confidence",
                "Predictions",
            ),
            [_refusals_row(card, entry) for entry in card.refusals],
        )
        + _separation_table(card)
    )


def _threshold(choice: Choice) -> str:
    return "not used" if choice.value is None else f"{choice.value:.3f}"


def _score_figure(card: Card, scores: Histogram, chosen: tuple[str, Choice]) -> str:
    shows = {entry.name.partition("/")[0]: STYLES[entry.shows] for entry in card.photo_sets}
    rows = [
        (name, card.title_of(name), "nonleaf" if name.endswith("/background") else shows[name.partition("/")[0]])
        for name in scores.counts
    ]
    name, choice = chosen
    return (
        f"<figure><h3>{escape(name.capitalize())}</h3>{score_picture(scores, rows, choice.value)}"
        f"<figcaption>{SCORE_KEY} Dotted: the threshold. Each row has its own height.</figcaption></figure>"
    )


def _risk_figure(card: Card, confidence: float) -> str:
    curves = [(card.title_of(name), curve) for name, curve in reversed(card.risk_coverage.items())]
    keys = " ".join(
        key(style, f"{escape(title)}, area {curve.area:.4f}")
        for style, (title, curve) in zip(("leaf", "unknown"), curves, strict=False)
    )
    return (
        f"<figure><h3>Risk and coverage</h3>{risk_coverage_picture(curves, confidence, TARGET_RISK)}"
        f"<figcaption>{keys} Dots: the lowest confidence. Dashed: {percent(TARGET_RISK, 0)} wrong.</figcaption>"
        "</figure>"
    )


def _refusals_row(card: Card, entry: Refusals) -> list[str]:
    firsts = "".join(
        f"<span class=list>{label(first)} {photos}</span>"
        for first, photos in list(entry.first_predictions.items())[:2]
    )
    is_lab = entry.sample.startswith(("calibration/", "test/"))  # there the predictions are the labels
    right = NOTHING if entry.right_when_answered is None else share(entry.right_when_answered)
    return [
        escape(card.title_of(entry.sample)),
        str(entry.photos),
        *(share(estimate) for estimate in (entry.not_a_leaf, entry.low_confidence, entry.answered)),
        right,
        percent(entry.mean_confidence),
        NOTHING if is_lab else firsts,
    ]


def _separation_table(card: Card) -> str:
    found = {(entry.score, entry.against): entry.auroc for entry in card.separations}
    against = list(dict.fromkeys(name for _, name in found))
    if not against:
        return ""
    return table(
        f"AUROC between the leaves of {card.title_of(card.measured_on).lower()} and other photos: the chance that a "
        "leaf scores higher.",
        ("Score", *(card.title_of(name) for name in against)),
        [
            [escape(score), *(number(found[score, name]) for name in against)]
            for score in dict.fromkeys(score for score, _ in found)
        ],
    )


def _classes(card: Card) -> str:
    before = {entry.label: entry.calibration_error for entry in card.headline.before.classes}
    rows = [
        [
            label(entry.label),
            str(entry.photos),
            str(entry.leaf_groups),
            share(entry.recall),
            NOTHING if entry.precision is None else share(entry.precision),
            share(before[entry.label], 2),
            share(entry.calibration_error, 2),
        ]
        for entry in card.headline.after.classes
    ]
    return "<h2>Label by label</h2>" + table(
        f"{card.title_of(card.measured_on)}. Recall: how many of a label&rsquo;s photos get it. Precision: how many of "
        "its answers are right. Error: the calibration error of the label&rsquo;s own probability over all photos.",
        ("Label", "Photos", "Leaf groups", "Recall", "Precision", "Error before", "Error after"),
        rows,
    )


def _confusions(card: Card) -> str:
    if not card.confusions:
        return ""
    rows = [[label(entry.truth), label(entry.answer), str(entry.photos)] for entry in card.confusions]
    caption = f"{card.title_of(card.measured_on)}: the labels most often taken for another."
    return "<h2>Confusions</h2>" + table(caption, ("Is", "Taken for", "Photos"), rows, "words")


def _photos(card: Card) -> str:
    rows = [
        [
            escape(entry.title),
            str(entry.photos),
            str(entry.leaf_groups),
            escape(entry.used_for),
            f"<code>{entry.sha256}</code>",
        ]
        for entry in card.photo_sets
    ]
    return "<h2>Photos</h2>" + table(
        "The hash covers the name and the content of every photo of a set.",
        ("Set", "Photos", "Leaf groups", "Used for", "SHA-256"),
        rows,
        "words",
    )


def _provenance(card: Card) -> str:
    rows = [[escape(text) for text in (s.name, s.used_for, s.licence, s.attribution)] for s in card.provenance.sources]
    heads = ("What", "Used for", "Licence", "Attribution")
    facts = [
        f"Graph: <code>{card.model.sha256}</code>, {card.model.size_bytes / 1e6:.1f} MB",
        *([f"Command: <code>{escape(card.command)}</code>"] if card.command else []),
        f"Seed {card.seed}; {escape(', '.join(' '.join(item) for item in card.model.software.items()))}",
        "All figures, machine readable: <code>card.json</code> beside this page",
    ]
    sources = table("Whose work this rests on.", heads, rows, "words") if rows else ""
    return f"<h2>Provenance</h2>{sources}{bullets(facts)}"
