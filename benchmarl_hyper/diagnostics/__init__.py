"""Callbacks that measure policies, gradients and embeddings while a run trains."""
