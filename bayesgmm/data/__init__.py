"""Input: arrays, data frames and files, converted and validated."""
