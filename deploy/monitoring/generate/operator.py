"""The dashboard of who is on call: what users notice, where the time goes, and what it runs on."""

from __future__ import annotations

from deploy.monitoring.generate.panel import OURS, dashboard, plot, query, stat
from deploy.monitoring.generate.promql import DIAGNOSES, NO_PROBES, called, mean, quantile, rate

SECONDS = "frond_gateway_request_seconds"
BUDGET = 0.001  # the objective is 99.9 %
GPU = "Only where Triton sees a GPU."

NOW = [
    stat(
        "Answered in time",
        query(f"1 - max(namespace:frond_deadlines_missed:ratio_rate1h{{{OURS}}})"),
        unit="percentunit",
        decimals=2,
        good_from=1 - BUDGET,
        description="Of the diagnoses of the last hour that were ours to answer within their deadlines.",
    ),
    stat("Slowest twentieth", query(f"max(namespace:frond_diagnosis_seconds:p95_5m{{{OURS}}})"), unit="s", limit=5),
    stat(
        "Failing",
        query(f"max(namespace:frond_requests_failed:ratio_rate5m{{{OURS}}})"),
        unit="percentunit",
        decimals=1,
        limit=0.05,
    ),
    stat("Requests", query(f"sum(namespace:frond_requests:rate5m{{{OURS}}})"), unit="reqps", decimals=1),
    stat("In flight", query(f"sum(frond_gateway_in_flight_requests{{{OURS}}})"), decimals=0),
    stat(
        "Alerts",
        query('count(ALERTS{alertname=~"Frond.*", alertstate="firing", namespace=~"$namespace|"}) or vector(0)'),
        decimals=0,
        limit=1,
        description="Those that fire now. Each has a page in docs/runbooks.",
    ),
]

SIGNALS = [
    plot(
        "Requests by outcome",
        query(
            called("answered", "category", "none", rate("frond_gateway_requests_total", NO_PROBES, by="category")),
            "{{category}}",
        ),
        unit="reqps",
        is_stacked=True,
        description="Answered, or by the category of the error. Probes are left out.",
    ),
    plot(
        "Diagnoses, seconds",
        *(query(quantile(q, SECONDS, DIAGNOSES), f"p{q * 100:.0f}", exemplar=True) for q in (0.5, 0.95, 0.99)),
        unit="s",
        limit=5,
        description="From the head of the request to the end of the answer: slow uploads are in it.",
    ),
    plot(
        "Budget burnt, times as fast as allowed",
        *(
            query(f"max(namespace:frond_deadlines_missed:ratio_rate{window}{{{OURS}}}) / {BUDGET}", window)
            for window in ("1h", "6h", "3d")
        ),
        limit=14.4,
        description="1 uses up the month's 0.1 % in a month, 14.4 a fiftieth of it in an hour.",
    ),
    plot(
        "Work in hand",
        query(f"sum(frond_gateway_in_flight_requests{{{OURS}}})", "in flight"),
        query(f"sum(frond_gateway_connections{{{OURS}}})", "connections"),
        decimals=0,
    ),
    plot("Photos held", query(f"sum by (pod) (frond_gateway_held_bytes{{{OURS}}})", "{{pod}}"), unit="bytes"),
    plot(
        "Turned away",
        query(rate("frond_gateway_not_admitted_total", by="reason"), "{{reason}}"),
        query(rate("frond_gateway_rate_limited_total"), "over the rate"),
        query(rate("frond_gateway_unauthenticated_refused_total"), "without a valid token"),
        unit="reqps",
    ),
]

STAGES = [
    plot(
        "Gateway: mean of each stage",
        query(mean("frond_gateway_stage_seconds", by="stage"), "{{stage}}"),
        unit="s",
    ),
    plot(
        "Triton: p95 of each stage of a batch",
        query(quantile(0.95, "frond_stage_seconds", by="stage"), "{{stage}}"),
        unit="s",
    ),
    plot(
        "Triton: wait in the queue of a request",
        query(
            f"{rate('nv_inference_queue_duration_us', by='model')} / 1e6"
            f" / {rate('nv_inference_request_success', by='model')}",
            "{{model}}",
        ),
        unit="s",
        description="What the autoscaler looks at: 50 ms.",
    ),
    plot(
        "Triton: rows of a batch",
        query(
            f"{rate('nv_inference_count', by='model')} / {rate('nv_inference_exec_count', by='model')}",
            "{{model}}",
        ),
    ),
    plot(
        "Calls of Triton",
        query(rate("frond_gateway_triton_calls_total", by="outcome"), "{{outcome}}"),
        unit="reqps",
        is_stacked=True,
    ),
    plot("Uploads", query(rate("frond_gateway_uploads_total", by="outcome"), "{{outcome}}"), unit="reqps"),
]

PARTS = [
    plot(
        "Breakers",
        query(f"max by (address) (frond_gateway_breaker_state{{{OURS}}})", "{{address}}"),
        decimals=0,
        description="Of each Triton, as the gateway sees it that sees it worst: 0 closed, 1 tries, 2 open.",
    ),
    plot(
        "Parts that do not answer", query(f"max by (part) (frond_gateway_part_out{{{OURS}}})", "{{part}}"), decimals=0
    ),
    plot(
        "Starts of the processes of diagnose",
        query(f"sum by (stub) (changes(frond_stub_started_timestamp_seconds{{{OURS}}}[15m]))", "{{stub}}"),
        decimals=0,
        description="In the last quarter of an hour.",
    ),
    plot(
        "Shared memory, free",
        query(
            f'frond_shared_memory_bytes{{{OURS}, state="free"}}'
            f' / ignoring (state) frond_shared_memory_bytes{{{OURS}, state="size"}}',
            "{{instance}}",
        ),
        unit="percentunit",
        limit=0.2,
    ),
    plot(
        "Gateway: CPU",
        query(
            f"rate(process_cpu_seconds_total{{{OURS}}}[$__rate_interval])"
            f" and on (instance) frond_gateway_build_info{{{OURS}}}",
            "{{instance}}",
        ),
        description="In cores; a process uses one at most.",
    ),
    plot(
        "Gateway: memory",
        query(
            f"process_resident_memory_bytes{{{OURS}}} and on (instance) frond_gateway_build_info{{{OURS}}}",
            "{{instance}}",
        ),
        unit="bytes",
    ),
    plot("GPU: busy", query(f"nv_gpu_utilization{{{OURS}}}", "{{gpu_uuid}}"), unit="percentunit", description=GPU),
    plot(
        "GPU: memory",
        query(f"nv_gpu_memory_used_bytes{{{OURS}}} / nv_gpu_memory_total_bytes{{{OURS}}}", "{{gpu_uuid}}"),
        unit="percentunit",
        description=GPU,
    ),
    plot("GPU: power", query(f"nv_gpu_power_usage{{{OURS}}}", "{{gpu_uuid}}"), unit="watt", description=GPU),
]

BOARD = dashboard(
    "frond-operator",
    "Operator",
    "What users notice, where the time goes, and what it runs on.",
    {"Now": NOW, "What users notice": SIGNALS, "Where the time goes": STAGES, "What it runs on": PARTS},
)
