"""Pages that are made from the code: events, metrics, interfaces, and the AsyncAPI document."""
