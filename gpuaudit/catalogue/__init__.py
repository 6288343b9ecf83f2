"""Reference values: what each product that can be sold, or posed as, is known to report and to reach.

One TOML file per product in `data/nvidia/`, every value with its sources; slices (MIG) and shares (vGPU) of cards are products too,
which no claim counts. Three habits of these files:

* A span goes from the smallest to the largest value of genuine cards: with and without ECC, with drivers that print what is left
  of the memory, over all power limits under which the card is sold. A value that other sources contradict is in a note, not in
  the span. "Unverified" is kept for the reader and excludes nothing.
* A listing holds what has been seen. "NVIDIA Graphics Device" is in none: drivers print it for any board that they do not know.
* `required` holds what must be known of a device before a claim on the product can be confirmed. Readings: what genuine cards give
  on bare metal, in virtual machines and in containers, and what the file has a verified value for. Measurements: bf16 where the
  product has a tensor path for it, else fp16 (Pascal, Volta, Turing; GeForce and mining cards, sold by it); fp64, a copy and a
  full memory for all; traffic between cards for whole families that have NVLink, PCIe cards included: if one card of a family
  could do without, a seller would leave the measurement out for all of them.
"""
