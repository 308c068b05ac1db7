"""Powers of two that sizes come in."""

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB


def ceil_div(value: int, unit: int) -> int:
    """Return how many whole units hold `value`."""
    return -(-value // unit)
