"""Figures of the whole cloud for Prometheus: requests, workflows, hosts, guests, projects.

They are for who runs the cloud and need no token, so that port listens on the machine itself only,
unless settings say otherwise.  A dashboard for Grafana is in docs/grafana.json.
"""
