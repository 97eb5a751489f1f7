"""What the services ask of Kafka beyond reading and sending records: topics, logs, group membership, a fenced producer."""
