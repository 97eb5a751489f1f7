"""Pure rules that all four services share: time, clocks, ids, money, errors. Standard library only."""
