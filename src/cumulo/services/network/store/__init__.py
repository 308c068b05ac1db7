"""What the database holds of networks, and the statements that read and change it."""
