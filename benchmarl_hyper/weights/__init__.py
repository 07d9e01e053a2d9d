"""Weights, with torch alone: rows, initialisation, embeddings, the target forward."""
