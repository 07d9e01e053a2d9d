"""How exactly exported networks agree: the order of sums is all that may differ."""


def assert_near(actual, expected, share=1e-6):
    """No entry is further off than a millionth of the largest one, or of 1."""
    bound = share * max(1.0, expected.abs().max().item())
    assert actual.shape == expected.shape
    assert (actual - expected).abs().max().item() <= bound
