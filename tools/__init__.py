"""Programs for those who work on Cumulo; nothing of it runs in a cloud."""
