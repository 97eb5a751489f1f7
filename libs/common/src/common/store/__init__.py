"""The tables of a service's database: one module owns each family, and whoever needs a table calls its owner."""
