"""The model: endpoint documents, the matrix made of them, the bundle. Imports no other folder."""
