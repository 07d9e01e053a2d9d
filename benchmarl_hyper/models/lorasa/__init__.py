"""LoRASA (arXiv 2502.05573): one network, and a low-rank adapter of each agent for each layer."""
