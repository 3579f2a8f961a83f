"""People and outcomes in, a bundle out. Needs the extra `train`; never in the image, never imported by the serving half."""
