"""Rules: the smallest conjunctions of conditions that separate failures from what passed."""
