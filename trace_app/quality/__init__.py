"""Compliance rules, test reports, certificates, commitment certificates; the release gate."""
