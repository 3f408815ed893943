"""Records on their way in: checked and written set-wise, with an outcome for each row."""
