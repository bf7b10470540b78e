"""Floor 4: traffic to serving engines: read from traces as they are published, or generated with a seed."""
