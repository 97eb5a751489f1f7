"""Inbound events: what an enterprise system says happened, one module for the service that reads it."""
