"""What a cloud reaches: plain HTTP, any OpenStack by OS_AUTH_URL, one JSON line a measurement."""
