"""Identity, as the Keystone API v3 shows it."""
