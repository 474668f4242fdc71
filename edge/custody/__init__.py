"""Records kept whole: checked, repaired, copied, put back, brought together."""
