"""Makes the files that would else say things twice: Grafana's dashboards, and the PrometheusRule."""
