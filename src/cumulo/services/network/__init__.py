"""Networking, as the Neutron API v2.0 shows it."""
