"""Many machines, one answer: plan which to look at, run, and fold their evidence into a result."""
