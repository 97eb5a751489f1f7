"""Indicators, schemes, cycles, grades and what follows from them (考核)."""
