"""The rules of a service request: standard library and kernel only."""
