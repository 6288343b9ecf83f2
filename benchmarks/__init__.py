"""Questions about our own speed and accuracy, one file each; `results/` holds what they produced."""
