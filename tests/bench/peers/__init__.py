"""Other servers, measured by the same client in the same run, so that ratios are honest."""
