"""What became of every row, for the people who sent it: the data-quality report and the quarantine."""
