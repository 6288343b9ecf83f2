"""What is run on an accelerator to time it: arithmetic, memory, links. Knows neither the catalogue nor the tender."""
