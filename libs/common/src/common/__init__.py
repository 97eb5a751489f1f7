"""What the four services share: kernel, contracts, runtime."""
