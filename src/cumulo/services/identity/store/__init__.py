"""What identity keeps in the database, and every statement on it."""
