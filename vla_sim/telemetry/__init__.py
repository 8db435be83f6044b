"""What happened, written down: rows in memory while the loop runs, Parquet files when it is over."""
