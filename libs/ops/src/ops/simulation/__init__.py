"""A seeded generator of a service quarter: staff, requests, work, complaints, surveys and ratings, as claims of an enterprise."""
