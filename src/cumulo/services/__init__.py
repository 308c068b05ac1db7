"""The OpenStack services, each named by its job."""
