"""The data sets and formats that `swr1 load` knows: one file each, which is its name."""
