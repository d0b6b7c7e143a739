"""Grafana's dashboards without Grafana: the same panels, of the same files, drawn on pages of this machine's own."""
