"""What all models are made of."""
