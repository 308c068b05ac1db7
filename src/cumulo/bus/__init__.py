"""Doorbells between processes; losing one costs latency, never truth."""
