"""What crosses a border: the envelope, the topics table, the events."""
