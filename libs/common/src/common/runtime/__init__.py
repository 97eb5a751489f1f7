"""The chassis of a service: consuming, the unit of work, the outbox, timers, health, metrics."""
