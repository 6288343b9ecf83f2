"""The Relying Party's question: what a public tender claims, line by line."""
