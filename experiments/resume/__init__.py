"""Is a sweep that is killed again and again the same sweep? See README.md."""
