"""How a result is shown to people. Every form shows the same result; none says more than another."""
