"""`aftersales replay`: a foreign log becomes our events, by a mapping of declarations (P18)."""
