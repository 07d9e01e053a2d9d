"""What is measured, with torch alone: behavioural distances, gradient conflict and variance."""
