"""What the commands of all packages share, and nothing of the contract."""
