"""Reference values: what each product that can be sold, or posed as, is known to report and to reach."""
