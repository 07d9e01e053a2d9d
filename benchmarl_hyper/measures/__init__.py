"""Measures of training, with torch alone: behavioural distances, gradient conflict and variance."""
