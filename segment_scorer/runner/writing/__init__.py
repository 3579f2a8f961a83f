"""Output files, and the checkpoint that lets a killed run go on."""
