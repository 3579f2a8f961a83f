"""What the model is: endpoint documents in, a float32 matrix and a bundle out. Imports none of the other folders."""
