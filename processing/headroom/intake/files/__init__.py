"""One file, or files of one layout: where its columns are, which rows and cells count, and what speaks against it."""
