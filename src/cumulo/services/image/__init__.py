"""Images, as the Glance API v2 shows them."""
