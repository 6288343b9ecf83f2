"""The parts of the soundness study: machines, questions, expectations."""
