"""Servers, as the Nova API v2.1 shows them."""
