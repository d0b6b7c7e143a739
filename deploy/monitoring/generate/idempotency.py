"""The dashboard of idempotency: what claims find, what they cost, and how large their table is."""

from __future__ import annotations

from deploy.monitoring.generate.panel import OURS, dashboard, plot, query, stat
from deploy.monitoring.generate.promql import mean, quantile, rate, share

CLAIMS = "frond_gateway_idempotency_total"
STAGES = "frond_gateway_stage_seconds"
REPLAYED = 'decision="replayed"'
FINISHED = f"max(frond_gateway_cleanup_finished_timestamp_seconds{{{OURS}}} > 0)"

NOW = [
    stat(
        "Replays",
        query(share(CLAIMS, REPLAYED, window="1h")),
        unit="percentunit",
        decimals=1,
        limit=0.05,
        description="Of the last hour. Many: answers do not reach their clients.",
    ),
    stat("Rows", query(f"max(frond_gateway_idempotency_rows{{{OURS}}})"), limit=1e6, description="Estimated."),
    stat("Last cleanup, ago", query(f"time() - {FINISHED}"), unit="s", limit=900, decimals=0),
    stat(
        "Keys reused",
        query(f'sum(increase({CLAIMS}{{{OURS}, decision="mismatch"}}[1h]))'),
        decimals=0,
        description="For another request, in the last hour: a client's fault.",
    ),
    stat(
        "Taken over",
        query(f'sum(increase({CLAIMS}{{{OURS}, decision="taken_over"}}[1h]))'),
        decimals=0,
        description="In the last hour: a gateway went before it had answered.",
    ),
]

CLAIMED = [
    plot(
        "What claims find",
        query(rate(CLAIMS, by="decision"), "{{decision}}"),
        unit="reqps",
        is_stacked=True,
    ),
    plot("Share of replays", query(share(CLAIMS, REPLAYED), "replayed"), unit="percentunit", limit=0.05),
    plot(
        "Duplicates in flight",
        query(rate(CLAIMS, 'decision=~"joined|in_flight"', by="decision"), "{{decision}}"),
        unit="reqps",
        description="Joined: got the first one's answer. In flight: given up waiting.",
    ),
]

COST = [
    plot(
        "Claim and complete, p95",
        query(quantile(0.95, STAGES, 'stage=~"claim|complete"', by="stage"), "{{stage}}"),
        unit="s",
    ),
    plot(
        "Claim and complete, mean",
        query(mean(STAGES, 'stage=~"claim|complete"', by="stage"), "{{stage}}"),
        unit="s",
    ),
    plot("Wait for another's answer, p95", query(quantile(0.95, STAGES, 'stage="join"'), "join"), unit="s"),
]

TABLE = [
    plot("Rows", query(f"max(frond_gateway_idempotency_rows{{{OURS}}})", "rows"), limit=1e6),
    plot("Removed", query(rate("frond_gateway_cleaned_total", by="what"), "{{what}}"), unit="ops"),
    plot("Since the last cleanup", query(f"time() - {FINISHED}", "seconds"), unit="s", limit=900),
]

BOARD = dashboard(
    "frond-idempotency",
    "Idempotency",
    "What claims find, what they cost, and how large their table is.",
    {"Now": NOW, "What claims find": CLAIMED, "What they cost": COST, "The table": TABLE},
)
