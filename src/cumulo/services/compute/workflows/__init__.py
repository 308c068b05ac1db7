"""What happens to servers after the request is answered."""
