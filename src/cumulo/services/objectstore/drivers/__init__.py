"""Devices: what holds bytes and listings."""
