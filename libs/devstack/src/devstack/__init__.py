"""A real Kafka and a real PostgreSQL for demo, tests and benchmarks."""
