"""Evidence and a tender in, a verdict out. Needs no accelerator, no network and never raises on what the evidence says."""
