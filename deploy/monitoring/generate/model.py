"""The dashboard of who answers for the model: how sure it is, when it abstains, and how a canary does."""

from __future__ import annotations

from deploy.monitoring.generate.panel import OURS, bars, dashboard, plot, query, stat
from deploy.monitoring.generate.promql import called, mean, quantile, rate, share

CONFIDENCE = "frond_confidence"
DIAGNOSES = "frond_diagnoses_total"
LEAVES = 'abstained!="not_a_leaf"'
CANARY = "frond_gateway_canary_requests_total"
TRIED = "While a canary runs, and after. It is taken back when it fails or abstains clearly more often."

NOW = [
    stat(
        "Diagnoses of leaves",
        query(f"sum by (release) (increase({DIAGNOSES}{{{OURS}, {LEAVES}}}[1h]))", "release {{release}}"),
        decimals=0,
        description="By release, in the last hour.",
    ),
    stat(
        "Mean confidence",
        query(mean(CONFIDENCE, by="release", window="1h"), "release {{release}}"),
        unit="percentunit",
        decimals=0,
        description="Of the first label. Calibrated, it is how often the model is right.",
    ),
    stat(
        "Not sure enough",
        query(share(DIAGNOSES, 'abstained="low_confidence"', of=(LEAVES,), window="1h")),
        unit="percentunit",
        decimals=0,
        description="Of the leaves of the last hour.",
    ),
    stat(
        "Measured",
        query(f"min by (release) (frond_release_measured{{{OURS}}})", "release {{release}}"),
        good_from=1,
        decimals=0,
        description="1: the release has a card that says how well it is calibrated.",
    ),
    stat(
        "Canary's share",
        query(f"max by (version) (frond_gateway_canary_share{{{OURS}}})", "release {{version}}"),
        unit="percentunit",
        description=TRIED,
    ),
    stat(
        "Canary taken back",
        query(f"max by (version) (frond_gateway_canary_rolled_back{{{OURS}}})", "release {{version}}"),
        limit=1,
        decimals=0,
        description=TRIED,
    ),
]

SURE = [
    bars(
        "Confidence",
        f"sum by (le) (increase({CONFIDENCE}_bucket{{{OURS}}}[$__range]))",
        description="Diagnoses of leaves in the time shown, by the confidence of the first label; up to the number.",
    ),
    plot(
        "Confidence: tenth, middle",
        query(quantile(0.1, CONFIDENCE, by="release"), "release {{release}}: a tenth is below"),
        query(quantile(0.5, CONFIDENCE, by="release"), "release {{release}}: half is below"),
        unit="percentunit",
    ),
    plot(
        "Mean confidence: six hours, a week",
        query(f"namespace_release:frond_confidence:mean6h{{{OURS}}}", "release {{release}}: 6 h"),
        query(f"namespace_release:frond_confidence:mean7d{{{OURS}}}", "release {{release}}: 7 d"),
        unit="percentunit",
        description="A tenth apart: the photos, the season or the phones have changed, or the release is broken.",
    ),
]

ABSTAINED = [
    plot(
        "Diagnoses by abstention",
        query(
            called(
                "not_a_leaf, probes among them",
                "abstained",
                "not_a_leaf",
                called("answered", "abstained", "no", rate(DIAGNOSES, by="abstained")),
            ),
            "{{abstained}}",
        ),
        unit="reqps",
        is_stacked=True,
        description="The gateways' synthetic photos count as not_a_leaf: one every few seconds while nobody asks.",
    ),
    plot(
        "Not sure enough, of leaves",
        query(share(DIAGNOSES, 'abstained="low_confidence"', of=(LEAVES,), by="release"), "release {{release}}"),
        unit="percentunit",
    ),
    plot(
        "Photos that cannot be read",
        query(rate("frond_photos_total", 'outcome!="ok"', by="outcome"), "{{outcome}}"),
        unit="reqps",
    ),
]

TRIAL = [
    plot("Requests by side", query(rate(CANARY, by="side"), "{{side}}"), unit="reqps", description=TRIED),
    plot(
        "Failed and abstained",
        query(share(CANARY, 'outcome="failed"', by="side"), "{{side}}: failed"),
        query(share(CANARY, 'outcome="abstained"', by="side"), "{{side}}: abstained"),
        unit="percentunit",
        description=TRIED,
    ),
    plot(
        "Triton, p95",
        query(quantile(0.95, "frond_gateway_canary_seconds", by="side"), "{{side}}"),
        unit="s",
        description=TRIED,
    ),
]

BOARD = dashboard(
    "frond-model",
    "Model quality",
    "How sure the model is, when it abstains, and how a canary does.",
    {"Now": NOW, "How sure it is": SURE, "When it abstains": ABSTAINED, "The canary": TRIAL},
)
