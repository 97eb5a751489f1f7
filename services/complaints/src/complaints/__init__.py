"""Complaints from acknowledgement to the told solution (投诉处理)."""
