"""What words of files mean: headings, units, times, and names of metrics, servers and files. No file is read here."""
