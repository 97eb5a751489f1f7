"""The rules of a work order: standard library and kernel only."""
