"""Weights, with torch alone: rows, initialisation, embeddings, the target network's forward."""
