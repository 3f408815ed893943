"""Bodies: uploads are read into columns, results are written as bytes. A module per format and direction."""
