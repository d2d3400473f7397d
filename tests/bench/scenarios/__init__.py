"""One module per question; each scenario makes its own team, so that they do not disturb each other."""
