"""Resource providers and allocations, as the Placement API shows them."""
