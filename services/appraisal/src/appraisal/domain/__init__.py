"""The rules of appraisal: schemes, grades, cycles, digests. Standard library and common.kernel only; time and ids are arguments."""
