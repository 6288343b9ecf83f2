"""What was read, measured and endorsed on one machine: data only, and how it is written and read back."""
