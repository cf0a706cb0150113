"""What to pin, whether to upgrade, what broke it: decisions that rest on runs."""
