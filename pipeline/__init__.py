"""Shipdrop: courier manifests in, shipment statuses out."""
