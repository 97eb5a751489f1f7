"""The rules of a complaint: standard library and kernel only."""
