"""Reading other people's data sets into records: one file per data set (`swr1 load NAME`)."""
