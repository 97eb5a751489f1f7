"""Work orders, assignment, on-site work (派工维修)."""
