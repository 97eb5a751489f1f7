"""SLA clocks: policies, the rulebook, the ledger of a clock, and what has to be published about it. Pure; waits for nothing."""
